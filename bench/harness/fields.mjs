/** What a client's process may report, how it is headed in a table, and which end of it is the better one. */
export const FIELDS = {
  recordsPerSecond: { title: 'records/s', better: 'high' },
  requestsPerSecond: { title: 'requests/s', better: 'high' },
  p50: { title: 'p50 ms', better: 'low' },
  p99: { title: 'p99 ms', better: 'low' },
  coldStartMs: { title: 'cold start ms', better: 'low' },
  cpuUsPerRecord: { title: 'CPU us/record', better: 'low' },
  cpuUsPerRequest: { title: 'CPU us/request', better: 'low' },
  cpuMsPerSecond: { title: 'CPU ms/s', better: 'low' },
  requestBytes: { title: 'bytes/request', better: 'low' },
  fullRequestBytes: { title: 'first request, bytes', better: 'low' },
  requestsPerBroker: { title: 'most requests to a broker', better: 'low' },
  brokersAsked: { title: 'brokers asked', better: 'high' },
  growthMiB: { title: 'RSS growth MiB', better: 'low' },
  keptMiB: { title: 'kept MiB', better: 'low' },
  limitMiB: { title: 'allowed MiB', better: 'low' },
  peakRssMiB: { title: 'peak RSS MiB', better: 'low', shown: 'worst' },
};

/** The better of a client's runs in one field; undefined when no run reported it. */
export function best(runs, field) {
  return pick(runs, field, FIELDS[field].better === 'high' ? Math.max : Math.min);
}

/** The worse of a client's runs in one field; undefined when no run reported it. */
export function worst(runs, field) {
  return pick(runs, field, FIELDS[field].better === 'high' ? Math.min : Math.max);
}

function pick(runs, field, choose) {
  const values = (runs ?? []).map((run) => run[field]).filter((value) => typeof value === 'number');
  return values.length === 0 ? undefined : choose(...values);
}
