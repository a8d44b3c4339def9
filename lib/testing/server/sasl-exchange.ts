import { createHash, createHmac, pbkdf2Sync, timingSafeEqual } from 'node:crypto';
import type { Random } from '../../core/support/index.js';

/** What became of one token of a client. */
export type SaslStep =
  | { readonly kind: 'more'; readonly token: Buffer }
  | { readonly kind: 'done'; readonly token: Buffer; readonly user: string }
  | { readonly kind: 'failed' };

/** The broker's side of one run of a mechanism. */
export interface SaslExchange {
  step(token: Buffer): SaslStep;
}

type Users = Readonly<Record<string, string>>;

const FAILED: SaslStep = { kind: 'failed' };
/** Kafka's own number for SCRAM credentials. */
const ITERATIONS = 4096;

export function newSaslExchange(mechanism: string, users: Users, random: Random): SaslExchange {
  if (mechanism === 'PLAIN') return new PlainExchange(users);
  return new ScramExchange(mechanism === 'SCRAM-SHA-256' ? 'sha256' : 'sha512', users, random);
}

/** PLAIN (RFC 4616): one token of authorization id, user and password. */
class PlainExchange implements SaslExchange {
  readonly #users: Users;

  constructor(users: Users) {
    this.#users = users;
  }

  step(token: Buffer): SaslStep {
    const parts = token.toString().split('\0');
    const [authorizationId = '', user = '', password = ''] = parts;
    if (parts.length !== 3 || user === '' || password === '') return FAILED;
    if (authorizationId !== '' && authorizationId !== user) return FAILED;
    const expected = Object.hasOwn(this.#users, user) ? this.#users[user] : undefined;
    if (expected === undefined || !same(Buffer.from(expected), Buffer.from(password))) return FAILED;
    return { kind: 'done', token: Buffer.alloc(0), user };
  }
}

/** SCRAM (RFC 5802): client-first, server-first, client-final, server-final; no channel binding. */
class ScramExchange implements SaslExchange {
  readonly #hash: 'sha256' | 'sha512';
  readonly #users: Users;
  readonly #random: Random;
  #first: { readonly user: string; readonly bare: string; readonly server: string; readonly nonce: string } | undefined;
  #salt: Buffer = Buffer.alloc(0);

  constructor(hash: 'sha256' | 'sha512', users: Users, random: Random) {
    this.#hash = hash;
    this.#users = users;
    this.#random = random;
  }

  step(token: Buffer): SaslStep {
    return this.#first === undefined ? this.#clientFirst(token.toString()) : this.#clientFinal(token.toString());
  }

  #clientFirst(message: string): SaslStep {
    const match = /^n,(?:a=([^,]*))?,(n=([^,]+),r=([^,]+)(?:,.*)?)$/.exec(message);
    if (match === null) return FAILED;
    const [, authorizationId, bare = '', name = '', clientNonce = ''] = match;
    const user = unescaped(name);
    if (authorizationId !== undefined && unescaped(authorizationId) !== user) return FAILED;
    if (!Object.hasOwn(this.#users, user)) return FAILED;
    this.#salt = this.#random.bytes(24);
    const nonce = clientNonce + this.#random.bytes(18).toString('base64');
    const server = `r=${nonce},s=${this.#salt.toString('base64')},i=${ITERATIONS}`;
    this.#first = { user, bare, server, nonce };
    return { kind: 'more', token: Buffer.from(server) };
  }

  #clientFinal(message: string): SaslStep {
    const first = this.#first;
    const match = /^(c=([^,]+),r=([^,]+)(?:,.*)?),p=([^,]+)$/.exec(message);
    if (first === undefined || match === null) return FAILED;
    const [, withoutProof = '', binding = '', nonce = '', proof = ''] = match;
    if (nonce !== first.nonce || !Buffer.from(binding, 'base64').toString().startsWith('n,')) return FAILED;
    const size = this.#hash === 'sha256' ? 32 : 64;
    const salted = pbkdf2Sync(this.#users[first.user] ?? '', this.#salt, ITERATIONS, size, this.#hash);
    const clientKey = this.#hmac(salted, 'Client Key');
    const storedKey = createHash(this.#hash).update(clientKey).digest();
    const authMessage = `${first.bare},${first.server},${withoutProof}`;
    const signature = this.#hmac(storedKey, authMessage);
    const expected = Buffer.from(clientKey.map((byte, index) => byte ^ (signature[index] as number)));
    if (!same(expected, Buffer.from(proof, 'base64'))) return FAILED;
    const serverSignature = this.#hmac(this.#hmac(salted, 'Server Key'), authMessage);
    return { kind: 'done', token: Buffer.from(`v=${serverSignature.toString('base64')}`), user: first.user };
  }

  #hmac(key: Buffer, text: string): Buffer {
    return createHmac(this.#hash, key).update(text).digest();
  }
}

const unescaped = (name: string): string => name.replaceAll('=2C', ',').replaceAll('=3D', '=');

const same = (a: Buffer, b: Buffer): boolean => a.length === b.length && timingSafeEqual(a, b);
