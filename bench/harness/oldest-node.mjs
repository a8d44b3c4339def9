/** The oldest Node that krafka supports, where that runs the bench: the clients run on the newest. */
const oldestNode = process.versions.node.startsWith('20.') ? process.execPath : undefined;

/** What `measure` finds on the oldest Node: it is given the binary. */
export const onOldestNode = (measure) =>
  oldestNode === undefined ? () => ({ absent: `the bench runs on ${process.version}` }) : measure(oldestNode);
