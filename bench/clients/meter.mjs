/** Measures this process: `start()` once it is warm, `result(count)` at the end. */
export class Meter {
  #cpu;
  #started;
  times = [];

  start() {
    globalThis.gc?.();
    this.times = [];
    this.#cpu = process.cpuUsage();
    this.#started = performance.now();
  }

  get seconds() {
    return (performance.now() - this.#started) / 1_000;
  }

  /** What `count` records or requests took. `per` names the unit: 'Record' or 'Request'. */
  result(count, per = 'Record') {
    const seconds = this.seconds;
    const { user, system } = process.cpuUsage(this.#cpu);
    return {
      [`${per.toLowerCase()}sPerSecond`]: Math.round(count / seconds),
      [`cpuUsPer${per}`]: Number(((user + system) / count).toFixed(3)),
      peakRssMiB: peakRssMiB(),
      ...percentiles(this.times),
    };
  }
}

export function peakRssMiB() {
  return Math.round(process.resourceUsage().maxRSS / 1_024);
}

export function percentiles(times) {
  if (times.length === 0) return {};
  const sorted = Float64Array.from(times).toSorted();
  const at = (fraction) => Number(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * fraction))].toFixed(4));
  return { p50: at(0.5), p99: at(0.99) };
}

/** Prints a client's result as the harness wants it, and ends the process, whatever still runs in it. */
export function finish(result) {
  process.stdout.write(`${JSON.stringify(result)}\n`, () => process.exit(0));
}
