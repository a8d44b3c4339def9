import { PATTERN_EXTRAS_METADATA, PATTERN_METADATA } from '@nestjs/microservices/constants.js';
import { KrafkaConfigError } from '../../core/support/index.js';
import type { FailureOptions } from '../failure-policy/failure-policy.js';
import { describePattern } from '../topic-name.js';

/** What decorators have said of a handler method: Nest hands it to the transport beside the pattern. */
export type Extras = Readonly<Record<string, unknown>>;

/** Under this name {@link Extras} say what a method is called. */
export const HANDLER_NAME = 'handlerName';

/** Under this name {@link Extras} hold the patterns that a decorator of ours gave. */
export const SAID_PATTERNS = 'saidPatterns';

/** Under this name a method has the patterns of `@KrafkaListener`. */
export const LISTENER_METADATA = 'krafka:listener';

/**
 * Nest's pattern decorators take the place of one that stands below them, silently.
 *
 * @throws KrafkaConfigError when `pattern` is not what our decorator of the method gave
 */
export function checkPatternStands(pattern: unknown, extras: Extras): void {
  const given = extras[SAID_PATTERNS] as readonly unknown[] | undefined;
  if (given === undefined || given.includes(pattern)) return;
  const written = `pattern ${describePattern(pattern)}`;
  throw new KrafkaConfigError(
    written,
    `stands on ${String(extras[HANDLER_NAME])}, which has the pattern '${given.map(describePattern).join(', ')}' already: one method, one pattern decorator (give it a list of patterns)`,
  );
}

/**
 * Of a method that nothing calls, what is said would be for nothing.
 *
 * @throws KrafkaConfigError when decorators of ours say something of a method, and none gives it a pattern
 */
export function checkHasPattern(method: object): void {
  const extras = extrasOf(method);
  const name = extras?.[HANDLER_NAME] as string | undefined;
  if (name === undefined || Reflect.hasMetadata(PATTERN_METADATA, method)) return;
  if (Reflect.hasMetadata(LISTENER_METADATA, method)) return;
  const said = Object.keys(extras ?? {}).filter((key) => key !== HANDLER_NAME);
  throw new KrafkaConfigError(
    said.join(', '),
    `is said of ${name}, which no pattern decorator is on: add @EventPattern, @MessagePattern, @BatchPattern or @KrafkaListener`,
  );
}

/** What has been said of a method so far. */
export const extrasOf = (method: object): Extras | undefined =>
  Reflect.getMetadata(PATTERN_EXTRAS_METADATA, method) as Extras | undefined;

/** `Orders.placed`: how messages name a method. */
export const nameOfMethod = (target: object, key: string | symbol): string =>
  `${target.constructor.name}.${String(key)}`;

/**
 * Notes what a decorator says of one method. What can be said in parts (`onFailure`) may come from several.
 *
 * @throws KrafkaConfigError when the same has been said of the method before
 */
export function say(target: object, key: string | symbol, method: object, written: string, said: Extras): void {
  const before = extrasOf(method) ?? {};
  const twice = Object.keys(said).find((name) => saidTwice(name, before[name], said[name]));
  if (twice !== undefined) {
    throw new KrafkaConfigError(written, `says of ${nameOfMethod(target, key)} what is said already: '${twice}'`);
  }
  write(method, { ...merged(said, before), [HANDLER_NAME]: nameOfMethod(target, key) });
}

/** A decorator of methods and of classes: on a class it holds for each handler method of it that says nothing else. */
export function policyDecorator(written: string, said: Extras): MethodDecorator & ClassDecorator {
  return (target: object, key?: string | symbol, descriptor?: PropertyDescriptor): void => {
    if (descriptor !== undefined && key !== undefined) {
      say(target, key, descriptor.value as object, written, said);
      return;
    }
    const { name: className, prototype } = target as { readonly name: string; readonly prototype: object };
    for (const [name, method] of methodsOf(prototype)) {
      const extras = extrasOf(method);
      if (extras !== undefined) write(method, { [HANDLER_NAME]: `${className}.${name}`, ...merged(said, extras) });
    }
  };
}

// Nest's pattern decorators merge into what is there, so the order in which decorators stand does not matter.
const write = (method: object, extras: Extras): void =>
  Reflect.defineMetadata(PATTERN_EXTRAS_METADATA, { ...extrasOf(method), ...extras }, method);

const IN_PARTS = 'onFailure';

function saidTwice(name: string, before: unknown, now: unknown): boolean {
  if (before === undefined) return false;
  return name !== IN_PARTS || Object.keys(now as object).some((part) => (before as Extras)[part] !== undefined);
}

/** What the nearer says, completed by what the outer says. */
function merged(outer: Extras, nearer: Extras): Extras {
  const result: Record<string, unknown> = { ...outer };
  for (const name of Object.keys(outer)) {
    if (nearer[name] === undefined) continue;
    result[name] =
      name === IN_PARTS ? completed(outer[name] as FailureOptions, nearer[name] as FailureOptions) : nearer[name];
  }
  return result;
}

/** What the nearer leaves open of failing, taken from the outer; retry topics go with the last resort that needs them. */
function completed({ retryTopics, ...outer }: FailureOptions, nearer: FailureOptions): FailureOptions {
  const wanted = retryTopics !== undefined && (nearer.then ?? 'retry-topics') === 'retry-topics';
  return { ...outer, ...(wanted ? { retryTopics } : {}), ...nearer };
}

function* methodsOf(prototype: object): Iterable<[string, object]> {
  for (const [name, { value }] of Object.entries(Object.getOwnPropertyDescriptors(prototype))) {
    if (typeof value === 'function' && name !== 'constructor') yield [name, value as object];
  }
}
