// A real Apache Kafka cluster of combined nodes in KRaft mode, for tests and benchmarks, without containers.
import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ensureJars } from './jars.mjs';

const CLUSTER_ID = 'a3JhZmthLXRlc3RzLTAwMQ';

/** Who may log in at the SASL listener: known to the tests, worth nothing elsewhere. */
export const TEST_USER = { username: 'krafka-test', password: 'krafka-test-secret' };

/**
 * Starts `nodes` brokers. Each has a PLAINTEXT listener and, with `secure`, a SASL_SSL one that takes SCRAM-SHA-512
 * and SCRAM-SHA-256, with a certificate of its own authority.
 */
export async function startKafka({
  version = '4.3.1',
  nodes = 1,
  secure = false,
  heapMiB = 512,
  properties = {},
} = {}) {
  const jars = ensureJars(version);
  const home = mkdtempSync(join(tmpdir(), 'krafka-kafka-'));
  const ports = await freePorts(nodes * 3);
  const members = Array.from({ length: nodes }, (_, index) => ({
    id: index + 1,
    plain: ports[index * 3],
    controller: ports[index * 3 + 1],
    sasl: ports[index * 3 + 2],
    folder: join(home, `node-${index + 1}`),
  }));
  const tls = secure ? makeStores(home) : undefined;
  const copies = Math.min(nodes, 3);
  const voters = members.map((member) => `${member.id}@127.0.0.1:${member.controller}`).join(',');

  for (const member of members) {
    mkdirSync(member.folder, { recursive: true });
    writeFileSync(join(member.folder, 'node.properties'), propertiesOf(member, { voters, copies, tls, properties }));
    execFileSync(
      'java',
      [
        ...['-cp', `${jars}/*`, 'kafka.tools.StorageTool', 'format', '-t', CLUSTER_ID],
        ...['-c', join(member.folder, 'node.properties')],
        ...(secure
          ? ['SCRAM-SHA-256', 'SCRAM-SHA-512'].flatMap((mechanism) => [
              '--add-scram',
              `${mechanism}=[name=${TEST_USER.username},password=${TEST_USER.password}]`,
            ])
          : []),
      ],
      { stdio: ['ignore', 'ignore', 'pipe'] },
    );
  }

  const running = new Map();
  const startNode = async (id) => {
    const member = members.find((candidate) => candidate.id === id);
    const log = openSync(join(member.folder, 'node.log'), 'a');
    const child = spawn(
      'java',
      [`-Xmx${heapMiB}m`, '-cp', `${jars}/*`, 'kafka.Kafka', join(member.folder, 'node.properties')],
      { stdio: ['ignore', log, log] },
    );
    const ended = new Promise((resolve) => child.once('exit', resolve));
    running.set(id, { child, ended });
    await portAnswers(member.plain, child, () => readFileSync(join(member.folder, 'node.log'), 'utf8').slice(-2000));
  };
  const stopNode = async (id, signal = 'SIGTERM') => {
    const node = running.get(id);
    if (node === undefined) return;
    running.delete(id);
    node.child.kill(signal);
    const late = setTimeout(() => node.child.kill('SIGKILL'), 15_000);
    await node.ended;
    clearTimeout(late);
  };
  const stop = async () => {
    await Promise.all([...running.keys()].map((id) => stopNode(id, 'SIGKILL')));
    rmSync(home, { recursive: true, force: true });
  };
  try {
    await Promise.all(members.map((member) => startNode(member.id)));
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    version,
    jars,
    /** Addresses of the PLAINTEXT listeners. */
    bootstrap: members.map((member) => `127.0.0.1:${member.plain}`).join(','),
    /** Addresses of the SASL_SSL listeners, and what a client needs for them. */
    secure: secure
      ? {
          bootstrap: members.map((member) => `localhost:${member.sasl}`).join(','),
          connection: {
            tls: { ca: tls.ca },
            sasl: { mechanism: 'scram-sha-512', ...TEST_USER },
          },
        }
      : undefined,
    nodeIds: members.map((member) => member.id),
    portOf: (id) => members.find((member) => member.id === id).plain,
    pidOf: (id) => running.get(id)?.child.pid,
    startNode,
    stopNode,
    stop,
  };
}

function propertiesOf(member, { voters, copies, tls, properties }) {
  const listeners = [`PLAINTEXT://127.0.0.1:${member.plain}`, `CONTROLLER://127.0.0.1:${member.controller}`];
  const advertised = [`PLAINTEXT://127.0.0.1:${member.plain}`];
  const lines = {
    'process.roles': 'broker,controller',
    'node.id': member.id,
    'controller.quorum.voters': voters,
    'controller.listener.names': 'CONTROLLER',
    'inter.broker.listener.name': 'PLAINTEXT',
    'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL_SSL:SASL_SSL',
    'log.dirs': join(member.folder, 'data'),
    'num.partitions': 1,
    'auto.create.topics.enable': false,
    'default.replication.factor': copies,
    'min.insync.replicas': Math.max(1, copies - 1),
    'offsets.topic.num.partitions': 4,
    'offsets.topic.replication.factor': copies,
    'transaction.state.log.num.partitions': 4,
    'transaction.state.log.replication.factor': copies,
    'transaction.state.log.min.isr': Math.max(1, copies - 1),
    'share.coordinator.state.topic.num.partitions': 4,
    'share.coordinator.state.topic.replication.factor': copies,
    'share.coordinator.state.topic.min.isr': Math.max(1, copies - 1),
    'group.initial.rebalance.delay.ms': 0,
    // Tests shorten sessions to see a member lost.
    'group.min.session.timeout.ms': 1000,
    'group.consumer.min.session.timeout.ms': 1000,
    'group.consumer.min.heartbeat.interval.ms': 300,
  };
  if (tls !== undefined) {
    listeners.push(`SASL_SSL://127.0.0.1:${member.sasl}`);
    advertised.push(`SASL_SSL://localhost:${member.sasl}`);
    Object.assign(lines, {
      'sasl.enabled.mechanisms': 'SCRAM-SHA-512,SCRAM-SHA-256',
      'listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config':
        'org.apache.kafka.common.security.scram.ScramLoginModule required;',
      'listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config':
        'org.apache.kafka.common.security.scram.ScramLoginModule required;',
      'ssl.keystore.location': tls.keystore,
      'ssl.keystore.password': tls.password,
      'ssl.key.password': tls.password,
      'ssl.keystore.type': 'PKCS12',
    });
  }
  lines['listeners'] = listeners.join(',');
  lines['advertised.listeners'] = advertised.join(',');
  return Object.entries({ ...lines, ...properties })
    .map(([name, value]) => `${name}=${value}\n`)
    .join('');
}

/** A certificate for localhost and 127.0.0.1, signed by itself: the client trusts exactly this one. */
function makeStores(home) {
  const keystore = join(home, 'broker.p12');
  const password = 'krafka-store';
  const store = ['-keystore', keystore, '-storetype', 'PKCS12', '-storepass', password, '-alias', 'broker'];
  execFileSync(
    'keytool',
    [
      ...['-genkeypair', ...store, '-keyalg', 'RSA', '-keysize', '2048', '-validity', '3650', '-dname', 'CN=localhost'],
      ...['-ext', 'san=dns:localhost,ip:127.0.0.1', '-ext', 'bc=ca:true'],
    ],
    { stdio: ['ignore', 'ignore', 'ignore'] },
  );
  const ca = execFileSync('keytool', ['-exportcert', '-rfc', ...store], { stdio: ['ignore', 'pipe', 'ignore'] });
  return { keystore, password, ca: ca.toString() };
}

async function freePorts(count) {
  const servers = await Promise.all(
    Array.from(
      { length: count },
      () =>
        new Promise((resolve, reject) => {
          const server = net.createServer();
          server.once('error', reject);
          server.listen(0, '127.0.0.1', () => resolve(server));
        }),
    ),
  );
  const ports = servers.map((server) => server.address().port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

/** Resolves when the broker answers an ApiVersions request: it listens before it serves. */
async function portAnswers(port, child, lastWords) {
  const ends = Date.now() + 90_000;
  // ApiVersions v0, correlation id 1, client id 'up'.
  const request = Buffer.from([0, 0, 0, 12, 0, 18, 0, 0, 0, 0, 0, 1, 0, 2, 0x75, 0x70]);
  while (Date.now() < ends) {
    if (child.exitCode !== null) throw new Error(`Kafka ended with ${child.exitCode}:\n${lastWords()}`);
    const answered = await new Promise((resolve) => {
      const socket = net.connect({ host: '127.0.0.1', port }, () => socket.write(request));
      socket.setTimeout(2_000, () => socket.destroy());
      socket.once('data', () => {
        resolve(true);
        socket.destroy();
      });
      socket.once('error', () => undefined);
      socket.once('close', () => resolve(false));
    });
    if (answered) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`Kafka did not answer on port ${port} within 90 s:\n${lastWords()}`);
}
