/** Measures this process's own CPU while nothing happens, and prints it as JSON. */
export async function measureIdle(seconds) {
  const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
  // Start-up leaves garbage, and V8 takes its time to shrink the heap it needed: what is measured is the rest after that.
  await pause(25_000);
  const from = process.cpuUsage();
  const started = performance.now();
  await pause(seconds * 1_000);
  const used = process.cpuUsage(from);
  const elapsed = (performance.now() - started) / 1_000;
  const cpuMsPerSecond = Number(((used.user + used.system) / 1_000 / elapsed).toFixed(3));
  console.log(JSON.stringify({ cpuMsPerSecond }));
}
