import { spawn } from 'node:child_process';

const running = new Set();

/** Ends whatever is still measured: for a run that is stopped midway. */
export function stopProcesses() {
  for (const child of running) child.kill('SIGKILL');
}

/**
 * Runs one client in a process of its own and answers what it printed. A process that fails, or is still there after
 * `timeoutMs`, is an error that carries the end of what it said.
 */
export function run(command, args, { env = {}, timeoutMs = 180_000, cwd } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args.map(String), {
      cwd,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    running.add(child);
    let out = '';
    let err = '';
    child.stdout.on('data', (chunk) => (out += chunk));
    child.stderr.on('data', (chunk) => (err = (err + chunk).slice(-4_000)));
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      child.kill('SIGKILL');
    }, timeoutMs);
    child.once('error', reject);
    child.once('close', (code, signal) => {
      clearTimeout(timer);
      running.delete(child);
      if (code === 0) resolve(out);
      else if (late) reject(new Error(`still running after ${timeoutMs / 1_000} s\n${err}`));
      else reject(new Error(`ended with ${code ?? signal}\n${err}`));
    });
  });
}

/** The JSON that a client printed in its last line. */
export function lastJson(out) {
  const line = out.trim().split('\n').at(-1);
  try {
    return JSON.parse(line);
  } catch {
    throw new Error(`no result in its last line: ${line}`);
  }
}
