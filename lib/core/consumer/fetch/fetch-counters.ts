/** What fetching has counted so far; see `ConsumerStats`. */
export class FetchCounters {
  fetches = 0;
  incrementalFetches = 0;
  sessionResets = 0;
  fetchedEntries = 0;
  receivedBytes = 0;
}
