import { PATTERN_EXTRAS_METADATA } from '@nestjs/microservices/constants.js';
import { checkFailureOptions, type FailureOptions } from '../failure-policy/failure-policy.js';

/**
 * Says what happens when an event handler fails; on a class, for every handler method of it. What one leaves open the next
 * further out decides: the method's, the class', the module's.
 *
 * ```ts
 * @EventPattern('orders.placed')
 * @OnFailure({ retries: 5, backoffMs: 100, then: 'dead-letter' })
 * ```
 */
export function OnFailure(options: FailureOptions): MethodDecorator & ClassDecorator {
  const onFailure = checkFailureOptions(options, '@OnFailure');
  return (target: object, _key?: string | symbol, descriptor?: PropertyDescriptor): void => {
    if (descriptor !== undefined) {
      merge(descriptor.value as object, onFailure);
      return;
    }
    for (const method of methodsOf(target as { readonly prototype: object })) {
      const extras = extrasOf(method);
      if (extras !== undefined) merge(method, { ...onFailure, ...(extras['onFailure'] as FailureOptions | undefined) });
    }
  };
}

const extrasOf = (method: object): Record<string, unknown> | undefined =>
  Reflect.getMetadata(PATTERN_EXTRAS_METADATA, method) as Record<string, unknown> | undefined;

// Nest's pattern decorators merge into what is there, so the order in which they stand does not matter.
const merge = (method: object, onFailure: FailureOptions): void =>
  Reflect.defineMetadata(PATTERN_EXTRAS_METADATA, { ...extrasOf(method), onFailure }, method);

function* methodsOf({ prototype }: { readonly prototype: object }): Iterable<object> {
  for (const { value } of Object.values(Object.getOwnPropertyDescriptors(prototype))) {
    if (typeof value === 'function') yield value as object;
  }
}
