// `npm run vectors:records`: has the Java client write the record batches that the tests read, into
// test/vectors/records/java-batches.json. KAFKA_JARS names the folder of Kafka's jars, 4.3.1 being what was used;
// without it they are fetched as for `npm run test:kafka`.
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { ensureJars } from '../kafka/jars.mjs';

const jars = process.env.KAFKA_JARS ?? ensureJars('4.3.1');
const program = fileURLToPath(new URL('RecordVectors.java', import.meta.url));
const folder = fileURLToPath(new URL('../../test/vectors/records/', import.meta.url));

const vectors = execFileSync('java', ['-cp', `${jars}/*`, program, 'write'], {
  stdio: ['ignore', 'pipe', 'inherit'],
  maxBuffer: 64 * 1024 * 1024,
});
mkdirSync(folder, { recursive: true });
writeFileSync(`${folder}java-batches.json`, vectors);
console.log(`${JSON.parse(vectors.toString()).length} batches in ${folder}java-batches.json`);
