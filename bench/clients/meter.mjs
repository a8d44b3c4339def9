import { writeFileSync } from 'node:fs';
import { Session } from 'node:inspector';

/** Records where this process spends its time, where the harness asks for it: from `start` to `stop`, nothing around it. */
class Profile {
  #session;

  start() {
    if (process.env.BENCH_PROFILE === undefined || this.#session !== undefined) return;
    this.#session = new Session();
    this.#session.connect();
    this.#session.post('Profiler.enable');
    this.#session.post('Profiler.setSamplingInterval', { interval: 500 });
    this.#session.post('Profiler.start');
  }

  stop() {
    this.#session?.post('Profiler.stop', (_, { profile }) => {
      writeFileSync(process.env.BENCH_PROFILE, JSON.stringify(profile));
    });
    this.#session = undefined;
  }
}

/** Measures this process: `start()` once it is warm, `result(count)` at the end. */
export class Meter {
  #cpu;
  #started;
  #profile = new Profile();
  times = [];

  start({ collecting = true } = {}) {
    if (collecting) globalThis.gc?.();
    this.times = [];
    this.#profile.start();
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
    this.#profile.stop();
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
