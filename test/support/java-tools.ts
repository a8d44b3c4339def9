import { spawn } from 'node:child_process';

/** The folder of Kafka's jars that `npm run test:kafka` names; without it the Java side of interop can't be asked. */
export const jars = process.env['KAFKA_JARS'];

const isOld = (process.env['KAFKA_VERSION'] ?? '4').startsWith('3.');

/** Runs one of Kafka's command-line tools and answers what it printed. */
export function javaTool(mainClass: string, args: readonly string[], input = ''): Promise<string> {
  return run('java', ['-Xmx128m', '-cp', `${jars}/*`, mainClass, ...args], input);
}

/** Reads records with the console consumer: key, value and headers, separated by `|`. */
export async function consoleConsume(
  bootstrap: string,
  topic: string,
  count: number,
  more: string[] = [],
): Promise<string[]> {
  const out = await javaTool('org.apache.kafka.tools.consumer.ConsoleConsumer', [
    ...['--bootstrap-server', bootstrap, '--topic', topic, '--from-beginning'],
    ...['--max-messages', String(count), '--timeout-ms', '20000'],
    ...['--property', 'print.key=true', '--property', 'print.headers=true', '--property', 'key.separator=|'],
    ...['--property', 'headers.separator=,', '--property', 'null.literal=<null>'],
    ...more,
  ]);
  return out.split('\n').filter((line) => line.includes('|'));
}

/** Writes `key|value` lines with the console producer. */
export async function consoleProduce(
  bootstrap: string,
  topic: string,
  lines: readonly string[],
  codec: string,
): Promise<void> {
  await javaTool(
    isOld ? 'kafka.tools.ConsoleProducer' : 'org.apache.kafka.tools.ConsoleProducer',
    [
      ...['--bootstrap-server', bootstrap, '--topic', topic, '--compression-codec', codec],
      ...['--property', 'parse.key=true', '--property', 'key.separator=|'],
    ],
    lines.map((line) => `${line}\n`).join(''),
  );
}

/** Runs a command to its end, with its standard input given; what it printed is the answer, a bad ending an error. */
export function run(command: string, args: readonly string[], input = ''): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'] });
    let out = '';
    let complaints = '';
    child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (complaints += chunk.toString()));
    child.once('error', reject);
    child.once('close', (code) => {
      if (code === 0) resolve(out);
      else reject(new Error(`${command} ended with ${code}: ${complaints.slice(-2000)}`));
    });
    child.stdin.end(input);
  });
}
