import {
  aFunction,
  anObjectWith,
  aString,
  checkOptions,
  describe,
  KrafkaConfigError,
  oneOf,
  optional,
  type OptionRule,
} from '../../support/index.js';
import { checkExtensions, OAuthBearerMechanism, type OAuthBearerTokenProvider } from './oauthbearer.js';
import { PlainMechanism } from './plain.js';
import type { SaslMechanism } from './sasl-mechanism.js';
import { ScramMechanism } from './scram.js';

const aMechanism = oneOf('plain', 'scram-sha-256', 'scram-sha-512', 'oauthbearer');

/** The mechanism that SASL options describe; the options themselves are not kept. */
export const saslMechanism: OptionRule<SaslMechanism> = (value, path) => {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new KrafkaConfigError(path, `must be an object with a mechanism, got ${describe(value)}`);
  }
  if ('begin' in value) {
    const own = anObjectWith<SaslMechanism>('begin')(value, path);
    aString(own.name, `${path}.name`);
    return own;
  }
  const { mechanism: given } = value as { mechanism?: unknown };
  const mechanism = aMechanism(typeof given === 'string' ? given.toLowerCase() : given, `${path}.mechanism`);
  const options = { ...value, mechanism };
  return mechanism === 'oauthbearer' ? oAuthBearer(options, path) : byPassword(options, path);
};

function byPassword(given: object, path: string): SaslMechanism {
  refuseForeign(given, ['tokenProvider', 'extensions'], 'oauthbearer', path);
  const { mechanism, username, password, authorizationId } = checkOptions(
    given,
    {
      mechanism: oneOf('plain', 'scram-sha-256', 'scram-sha-512'),
      username: aCredential,
      password: aCredential,
      authorizationId: optional(aCredential),
    },
    path,
  );
  switch (mechanism) {
    case 'plain':
      return new PlainMechanism(username, password, authorizationId);
    case 'scram-sha-256':
      return new ScramMechanism('sha256', username, password, authorizationId);
    case 'scram-sha-512':
      return new ScramMechanism('sha512', username, password, authorizationId);
  }
}

function oAuthBearer(given: object, path: string): SaslMechanism {
  refuseForeign(given, ['username', 'password', 'authorizationId'], 'plain and scram-sha-*', path);
  const { tokenProvider, extensions } = checkOptions(
    given,
    {
      mechanism: oneOf('oauthbearer'),
      tokenProvider: aFunction<OAuthBearerTokenProvider>,
      extensions: optional(someExtensions),
    },
    path,
  );
  return new OAuthBearerMechanism(tokenProvider, extensions);
}

/** An option that belongs to another mechanism would be ignored. */
function refuseForeign(given: object, names: readonly string[], owner: string, path: string): void {
  const foreign = names.find((name) => (given as Record<string, unknown>)[name] !== undefined);
  if (foreign !== undefined) {
    throw new KrafkaConfigError(`${path}.${foreign}`, `belongs to mechanism ${owner} and would be ignored`);
  }
}

/** A name or password: no NUL, which PLAIN divides its message by, and nothing that UTF-8 can't say. */
const aCredential: OptionRule<string> = (value, path) => {
  const text = aString(value, path);
  if (text.includes('\0')) throw new KrafkaConfigError(path, 'must not hold a NUL character');
  if (Buffer.from(text).toString() !== text) throw new KrafkaConfigError(path, 'is not well-formed Unicode');
  return text;
};

const someExtensions: OptionRule<Readonly<Record<string, string>>> = (value, path) => {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new KrafkaConfigError(path, `must be an object of strings, got ${describe(value)}`);
  }
  const extensions = Object.freeze({ ...(value as Record<string, string>) });
  try {
    checkExtensions(extensions);
  } catch (error) {
    throw new KrafkaConfigError(path, `is not right: ${(error as Error).message}`);
  }
  return extensions;
};
