// Jest runs tests in a realm of its own: errors and promises made by Node's core are not `instanceof` the
// test's Error and Promise. Nest tests handler results that way, so the check is widened to the true type.
import { types } from 'node:util';

const widen = (constructor, isOne) => {
  const plain = Function.prototype[Symbol.hasInstance];
  Object.defineProperty(constructor, Symbol.hasInstance, {
    configurable: true,
    value(value) {
      return plain.call(this, value) || (this === constructor && isOne(value));
    },
  });
};

widen(Error, (value) => types.isNativeError(value));
widen(Promise, (value) => types.isPromise(value));
