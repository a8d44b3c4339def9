/** What fetching has counted so far; see `ConsumerStats`. */
export class FetchCounters {
  fetches = 0;
  incrementalFetches = 0;
  sessionResets = 0;
  fetchedEntries = 0;
  requestBytes = 0;
  receivedBytes = 0;

  /** The counts as they stand. */
  snapshot(): Pick<
    FetchCounters,
    'fetches' | 'incrementalFetches' | 'sessionResets' | 'fetchedEntries' | 'requestBytes' | 'receivedBytes'
  > {
    const { fetches, incrementalFetches, sessionResets, fetchedEntries, requestBytes, receivedBytes } = this;
    return { fetches, incrementalFetches, sessionResets, fetchedEntries, requestBytes, receivedBytes };
  }
}
