import type { INestApplicationContext, INestMicroservice, Provider, Type } from '@nestjs/common';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { lastValueFrom } from 'rxjs';
import type { Logger } from '../../lib/core/index.js';
import { KrafkaClient, KrafkaModule, KrafkaServer, type KrafkaModuleOptions } from '../../lib/index.js';
import type { TestCluster } from './test-cluster.js';

/** What a test's service consists of. */
export interface ServiceParts {
  readonly controllers: Type[];
  readonly providers?: Provider[];
  readonly imports?: Type[];
  readonly options?: Partial<KrafkaModuleOptions>;
  /** Called before the service listens, e.g. to set global pipes. */
  readonly prepare?: (app: INestMicroservice) => void;
}

/** A logger that keeps its lines, so that a test's log stays quiet and can be asked. */
export class Lines implements Logger {
  readonly all: string[] = [];
  debug = (): void => undefined;
  info = (message: string): void => void this.all.push(`info ${message}`);
  warn = (message: string): void => void this.all.push(`warn ${message}`);
  error = (message: string, details?: unknown): void => void this.all.push(`error ${message} ${String(details)}`);
}

/** Applications of one test file, all closed with {@link NestApps.close}. */
export class NestApps {
  readonly #apps: { close(): Promise<void> }[] = [];

  constructor(readonly cluster: TestCluster) {}

  /** The options that every application of a test begins with. */
  options(changes: Partial<KrafkaModuleOptions> = {}): KrafkaModuleOptions {
    return {
      brokers: this.cluster.bootstrap,
      connection: this.cluster.connection,
      logger: new Lines(),
      ...changes,
    };
  }

  /** A service with a group of its own, which reads from the beginning and has its partitions. */
  async service(parts: ServiceParts): Promise<INestMicroservice> {
    const app = await NestFactory.createMicroservice(this.module(parts), {
      ...KrafkaServer.fromModule(),
      abortOnError: false,
      logger: false,
    });
    this.#apps.push(app);
    parts.prepare?.(app);
    await app.listen();
    return app;
  }

  /** The root module of a service. */
  module({ controllers, providers = [], imports = [], options }: ServiceParts): Type {
    const consumer = { groupId: this.cluster.name('group'), fromBeginning: true, ...options?.consumer };

    @Module({
      imports: [KrafkaModule.forRoot({ ...this.options(options), consumer }), ...imports],
      controllers,
      providers,
    })
    class ServiceModule {}
    return ServiceModule;
  }

  /** An application that is a client only. */
  async client(
    options: Partial<KrafkaModuleOptions> = {},
  ): Promise<{ app: INestApplicationContext; client: KrafkaClient }> {
    @Module({ imports: [KrafkaModule.forRoot(this.options(options))] })
    class ClientModule {}
    const app = await NestFactory.createApplicationContext(ClientModule, { abortOnError: false, logger: false });
    this.#apps.push(app);
    return { app, client: app.get(KrafkaClient) };
  }

  /** Emits messages in one batch, by a client of its own; resolves when they are acknowledged. */
  async emit(topic: string, ...messages: unknown[]): Promise<void> {
    const { client } = await this.client();
    await lastValueFrom(client.emitBatch(topic, { messages }));
  }

  /** Has something else closed with the rest. */
  add<App extends { close(): Promise<void> }>(app: App): App {
    this.#apps.push(app);
    return app;
  }

  async close(): Promise<void> {
    for (const app of this.#apps.splice(0).toReversed()) await app.close();
  }
}

/** A door that stays shut until it is opened. */
export function aDoor(): { readonly opened: Promise<void>; open(): void } {
  let open: () => void = () => undefined;
  const opened = new Promise<void>((resolve) => (open = resolve));
  return { opened, open: () => open() };
}

/** Resolves when `condition` holds; fails, saying what it waited for, after a time that only a defect needs. */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  patienceMs = 60_000,
): Promise<void> {
  const end = Date.now() + patienceMs;
  while (!(await condition())) {
    if (Date.now() > end) throw new Error(`waited in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
