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
import { checkHasPattern, extrasOf, HANDLER_NAME, SAID_PATTERNS } from '../decorators/said.js';

/** A method with `@KrafkaListener`, as it is announced to the server. */
export interface Listener {
  readonly pattern: unknown;
  readonly callback: MessageHandler;
  readonly extras: Record<string, unknown>;
}

type Wrapper = ReturnType<DiscoveryService['getProviders']>[number];
type Method = (...args: unknown[]) => unknown;

interface FoundMethod {
  readonly wrapper: Wrapper;
  readonly owner: object;
  readonly key: string;
  readonly method: Method;
}

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

  /**
   * Every listener, once for each of its patterns. Once all modules are there.
   *
   * @throws KrafkaConfigError when something is said of a method that no pattern decorator is on
   */
  find(): readonly Listener[] {
    this.#asked = true;
    for (const { method } of this.#methods()) checkHasPattern(method);
    this.#tellOfUncalled();
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
    return [...this.#methods()].flatMap(({ wrapper, method, key }) => {
      const patterns = listenedTo(method);
      if (patterns === undefined) return [];
      const call = wrapper.isDependencyTreeStatic() ? this.#static(wrapper, key) : this.#scoped(wrapper, key);
      const extras = { ...extrasOf(method) };
      return patterns.map((pattern) => ({ pattern, callback: call as MessageHandler, extras }));
    });
  }

  /** Patterns are Nest's, which looks for them on controllers: elsewhere nobody calls the method. */
  #tellOfUncalled(): void {
    const controllers = this.#discovery.getControllers().flatMap((wrapper) => ownerOf(wrapper) ?? []);
    const isControllers = (owner: object): boolean => {
      const prototype = Object.getPrototypeOf(owner) as object;
      return controllers.some((controller) => Object.prototype.isPrototypeOf.call(prototype, controller));
    };
    for (const { owner, method } of this.#methods()) {
      const extras = extrasOf(method);
      if (extras?.[SAID_PATTERNS] === undefined || isControllers(owner)) continue;
      new Logger('Krafka').warn(
        `${String(extras[HANDLER_NAME])} has a pattern decorator and is never called, since its class is no controller: list it in controllers, or use @KrafkaListener, which is for providers`,
      );
    }
  }

  *#methods(): Iterable<FoundMethod> {
    const seen = new Set<object>();
    for (const wrapper of [...this.#discovery.getProviders(), ...this.#discovery.getControllers()]) {
      const owner = ownerOf(wrapper);
      // An alias is the same provider by another name.
      if (owner === undefined || seen.has(owner)) continue;
      seen.add(owner);
      const prototype = Object.getPrototypeOf(owner) as Record<string, Method> | null;
      if (prototype === null || prototype === Object.prototype) continue;
      for (const key of this.#scanner.getAllMethodNames(prototype)) {
        const method = prototype[key];
        if (typeof method === 'function') yield { wrapper, owner, key, method };
      }
    }
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
