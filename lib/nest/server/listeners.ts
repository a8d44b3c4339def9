import { Logger, type OnApplicationBootstrap } from '@nestjs/common';
import {
  ContextIdFactory,
  MetadataScanner,
  type DiscoveryService,
  type ExternalContextCreator,
  type ModuleRef,
} from '@nestjs/core';
import type { MessageHandler } from '@nestjs/microservices';
import { PARAM_ARGS_METADATA } from '@nestjs/microservices/constants.js';
import { RpcParamtype } from '@nestjs/microservices/enums/rpc-paramtype.enum.js';
import { isObservable, lastValueFrom } from 'rxjs';
import { listenedTo } from '../decorators/krafka-listener.js';
import { extrasOf } from '../decorators/said.js';

/** A method with `@KrafkaListener`, as it is announced to the server. */
export interface Listener {
  readonly pattern: unknown;
  readonly callback: MessageHandler;
  readonly extras: Record<string, unknown>;
}

type Wrapper = ReturnType<DiscoveryService['getProviders']>[number];
type Method = (...args: unknown[]) => unknown;

const PIPELINE = { guards: true, interceptors: true, filters: true };

const PARAMETERS = {
  exchangeKeyForValue(type: RpcParamtype, data: unknown, args: unknown[]): unknown {
    if (type === RpcParamtype.CONTEXT) return args[1];
    if (type !== RpcParamtype.PAYLOAD) return null;
    const [payload] = args as [Record<string, unknown> | null | undefined];
    return typeof data === 'string' && data !== '' ? payload?.[data] : payload;
  },
};

/** Finds the `@KrafkaListener` methods of an application's providers, and puts Nest's pipeline around them. */
export class Listeners implements OnApplicationBootstrap {
  readonly #discovery: DiscoveryService;
  readonly #contexts: ExternalContextCreator;
  readonly #modules: ModuleRef;
  readonly #scanner = new MetadataScanner();
  #asked = false;

  constructor(discovery: DiscoveryService, contexts: ExternalContextCreator, modules: ModuleRef) {
    this.#discovery = discovery;
    this.#contexts = endingAs(contexts);
    this.#modules = modules;
  }

  /** Every listener, once for each of its patterns. Once all modules are there. */
  find(): readonly Listener[] {
    this.#asked = true;
    return this.#find();
  }

  /** For Nest: says so when there are listeners and nobody has asked for them. */
  onApplicationBootstrap(): void {
    const [one] = this.#asked ? [] : this.#find();
    if (one === undefined) return;
    new Logger('Krafka').warn(
      `${String(one.extras['handlerName'])} and perhaps others listen to Kafka, but no KrafkaServer is: connect one with KrafkaServer.fromModule() (a hybrid application may do so later)`,
    );
  }

  #find(): readonly Listener[] {
    const seen = new Set<object>();
    return [...this.#discovery.getProviders(), ...this.#discovery.getControllers()].flatMap((wrapper) => {
      const owner = ownerOf(wrapper);
      // An alias is the same provider by another name.
      if (owner === undefined || seen.has(owner)) return [];
      seen.add(owner);
      const prototype = Object.getPrototypeOf(owner) as object | null;
      if (prototype === null || prototype === Object.prototype) return [];
      return this.#scanner
        .getAllMethodNames(prototype)
        .flatMap((key) => this.#listenersOf(wrapper, prototype as Record<string, Method>, key));
    });
  }

  #listenersOf(wrapper: Wrapper, prototype: Record<string, Method>, key: string): Listener[] {
    const method = prototype[key];
    const patterns = typeof method === 'function' ? listenedTo(method) : undefined;
    if (method === undefined || patterns === undefined) return [];
    const call = wrapper.isDependencyTreeStatic() ? this.#static(wrapper, key) : this.#scoped(wrapper, key);
    const extras = { ...extrasOf(method) };
    return patterns.map((pattern) => ({ pattern, callback: call as MessageHandler, extras }));
  }

  #static(wrapper: Wrapper, key: string): Method {
    return this.#pipeline(wrapper.instance as Record<string, Method>, key);
  }

  // A provider with request scope is made for each call, as a controller would be.
  #scoped({ token, id }: Wrapper, key: string): Method {
    return async (data, context) => {
      const contextId = ContextIdFactory.create();
      this.#modules.registerRequestByContextId(requestOf(data, context), contextId);
      const instance = await this.#modules.resolve<Record<string, Method>>(token, contextId, { strict: false });
      return this.#pipeline(instance, key, contextId, id)(data, context);
    };
  }

  #pipeline(
    instance: Record<string, Method>,
    key: string,
    contextId?: ReturnType<typeof ContextIdFactory.create>,
    inquirerId?: string,
  ): Method {
    const method = instance[key] as Method;
    return this.#contexts.create(
      instance,
      method,
      key,
      PARAM_ARGS_METADATA,
      PARAMETERS,
      contextId,
      inquirerId,
      PIPELINE,
      'rpc',
    ) as Method;
  }
}

/** What a provider's methods are looked for on: what Nest made of it, or would make with every request. */
function ownerOf(wrapper: Wrapper): object | undefined {
  if (wrapper.isAlias) return undefined;
  const instance: unknown = wrapper.instance;
  return typeof instance === 'object' && instance !== null ? instance : undefined;
}

/** What an injected `CONTEXT` is, as in controllers. */
const requestOf = (data: unknown, context: unknown): object => ({
  pattern: (context as { getTopic(): string }).getTopic(),
  data,
  context,
  getData: () => data,
  getPattern: () => (context as { getTopic(): string }).getTopic(),
  getContext: () => context,
});

/**
 * Waits for the end of a stream that a listener returned. Nest waits for its last value, and one that ends without any rejects
 * with an `EmptyError`, which nobody could tell from one that the listener itself failed with.
 */
const endingAs = (contexts: ExternalContextCreator): ExternalContextCreator =>
  Object.create(contexts, {
    transformToResult: {
      value: async (result: unknown): Promise<unknown> =>
        isObservable(result) ? lastValueFrom(result, { defaultValue: undefined }) : result,
    },
  }) as ExternalContextCreator;
