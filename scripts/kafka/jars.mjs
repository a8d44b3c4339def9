// Apache Kafka's own jars, from Maven Central, kept outside the checkout so that the next run finds them.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

const POM = (version) => `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>nestjs-krafka</groupId><artifactId>kafka-for-tests</artifactId><version>1</version>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>${version}</version></dependency>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka-tools</artifactId><version>${version}</version></dependency>
  </dependencies>
</project>
`;

/** The folder that holds everything of one Kafka version; KAFKA_CACHE moves it. */
export function cacheFolder(version) {
  const root =
    process.env.KAFKA_CACHE ?? join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'nestjs-krafka');
  return join(root, `kafka-${version}`);
}

/** What is missing on this machine to run Kafka here, in words; undefined when nothing is. */
export function whatIsMissing(version) {
  const has = (command) => spawnSync(command, ['-version'], { stdio: 'ignore' }).status === 0;
  if (!has('java')) return 'Java 17 or newer (the command `java`)';
  if (!existsSync(join(cacheFolder(version), 'jars')) && !has('mvn')) {
    return 'Maven (the command `mvn`), which fetches the jars of Apache Kafka';
  }
  return undefined;
}

/** The class path of one Kafka version, fetched when it is not there yet. */
export function ensureJars(version) {
  const folder = cacheFolder(version);
  const jars = join(folder, 'jars');
  if (existsSync(jars)) return jars;
  const fetching = join(folder, `fetching-${process.pid}`);
  mkdirSync(fetching, { recursive: true });
  writeFileSync(join(fetching, 'pom.xml'), POM(version));
  const run = spawnSync(
    'mvn',
    ['-q', '-B', 'dependency:copy-dependencies', `-DoutputDirectory=${join(fetching, 'jars')}`],
    { cwd: fetching, stdio: ['ignore', 'inherit', 'inherit'] },
  );
  if (run.status !== 0 || readdirSync(join(fetching, 'jars')).length === 0) {
    rmSync(fetching, { recursive: true, force: true });
    throw new Error(`Maven could not fetch Apache Kafka ${version}`);
  }
  // A finished folder appears at once: an interrupted fetch never looks like a whole one. Another process may have been sooner.
  try {
    renameSync(join(fetching, 'jars'), jars);
  } catch (error) {
    if (!existsSync(jars)) throw error;
  }
  rmSync(fetching, { recursive: true, force: true });
  return jars;
}
