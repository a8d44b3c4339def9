import { createHash, createHmac, pbkdf2, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';
import type { SaslContext, SaslConversation, SaslMechanism } from './sasl-mechanism.js';

const hi = promisify(pbkdf2);

/** Fewer iterations would let whoever listens try passwords cheaply (RFC 7677, KIP-84). */
const LEAST_ITERATIONS = 4_096;
/** More would let a false broker burn this machine's time; Kafka itself goes up to 16,384. */
const MOST_ITERATIONS = 600_000;

const NONCE_BYTES = 24;
/** "No channel binding", in base64: the beginning of the final message. */
const NO_BINDING = Buffer.from('n,,').toString('base64');

export type ScramHash = 'sha256' | 'sha512';

/**
 * SCRAM-SHA-256 and SCRAM-SHA-512 (RFC 5802, KIP-84): both sides prove that they know the password, and neither
 * sends it. Name and password are taken as UTF-8 without SASLprep, because that is how Kafka stores them.
 */
export class ScramMechanism implements SaslMechanism {
  readonly name: 'SCRAM-SHA-256' | 'SCRAM-SHA-512';
  readonly #hash: ScramHash;
  readonly #username: string;
  readonly #password: string;
  readonly #authorizationId: string;

  constructor(hash: ScramHash, username: string, password: string, authorizationId = '') {
    this.name = hash === 'sha256' ? 'SCRAM-SHA-256' : 'SCRAM-SHA-512';
    this.#hash = hash;
    this.#username = username;
    this.#password = password;
    this.#authorizationId = authorizationId;
  }

  begin(context: SaslContext): SaslConversation {
    const nonce = context.randomBytes(NONCE_BYTES).toString('base64');
    return new ScramConversation(this.#hash, this.#username, this.#password, this.#authorizationId, nonce);
  }
}

/**
 * ```
 *   client-first: name, nonce          ─►
 *                                      ◄─  server-first: nonce + its own, salt, iterations
 *   client-final: both nonces, proof   ─►
 *                                      ◄─  server-final: signature
 * ```
 */
class ScramConversation implements SaslConversation {
  readonly #hash: ScramHash;
  readonly #password: string;
  readonly #header: string;
  readonly #clientFirstBare: string;
  readonly #nonce: string;
  #step: 'client-first' | 'client-final' | 'verify' | 'done' = 'client-first';
  #serverSignature: Buffer | undefined;

  constructor(hash: ScramHash, username: string, password: string, authorizationId: string, nonce: string) {
    this.#hash = hash;
    this.#password = password;
    this.#header = authorizationId === '' ? 'n,,' : `n,a=${escapeName(authorizationId)},`;
    this.#nonce = nonce;
    this.#clientFirstBare = `n=${escapeName(username)},r=${nonce}`;
  }

  async respond(challenge: Buffer | undefined): Promise<Buffer | undefined> {
    switch (this.#step) {
      case 'client-first':
        this.#step = 'client-final';
        return Buffer.from(this.#header + this.#clientFirstBare);
      case 'client-final':
        this.#step = 'verify';
        return this.#prove((challenge as Buffer).toString());
      case 'verify':
        this.#step = 'done';
        this.#verify((challenge as Buffer).toString());
        return undefined;
      case 'done':
        throw new Error('the broker goes on after its last message');
    }
  }

  async #prove(serverFirst: string): Promise<Buffer> {
    const attributes = attributesOf(serverFirst);
    const nonce = attributes.get('r') ?? '';
    if (!nonce.startsWith(this.#nonce) || nonce.length === this.#nonce.length) {
      throw new Error("the broker's nonce does not continue ours");
    }
    const salt = Buffer.from(attributes.get('s') ?? '', 'base64');
    if (salt.length === 0) throw new Error('the broker sent no salt');
    const iterations = /^\d{1,9}$/.test(attributes.get('i') ?? '') ? Number(attributes.get('i')) : 0;
    if (iterations < LEAST_ITERATIONS || iterations > MOST_ITERATIONS) {
      throw new Error(
        `the broker asks for ${iterations} iterations, between ${LEAST_ITERATIONS} and ${MOST_ITERATIONS} are accepted`,
      );
    }
    const binding = this.#header === 'n,,' ? NO_BINDING : Buffer.from(this.#header).toString('base64');
    const clientFinal = `c=${binding},r=${nonce}`;
    const authMessage = `${this.#clientFirstBare},${serverFirst},${clientFinal}`;
    const saltedPassword = await hi(Buffer.from(this.#password), salt, iterations, this.#bytes, this.#hash);
    const clientKey = this.#hmac(saltedPassword, 'Client Key');
    const storedKey = createHash(this.#hash).update(clientKey).digest();
    const signature = this.#hmac(storedKey, authMessage);
    const proof = Buffer.from(clientKey.map((byte, index) => byte ^ (signature[index] as number)));
    this.#serverSignature = this.#hmac(this.#hmac(saltedPassword, 'Server Key'), authMessage);
    return Buffer.from(`${clientFinal},p=${proof.toString('base64')}`);
  }

  #verify(serverFinal: string): void {
    const attributes = attributesOf(serverFinal);
    const error = attributes.get('e');
    if (error !== undefined) throw new Error(`the broker refused the proof: ${error}`);
    const signature = Buffer.from(attributes.get('v') ?? '', 'base64');
    const expected = this.#serverSignature as Buffer;
    if (signature.length !== expected.length || !timingSafeEqual(signature, expected)) {
      throw new Error("the broker's signature is wrong: it does not know the password, and may not be the broker");
    }
  }

  get #bytes(): number {
    return this.#hash === 'sha256' ? 32 : 64;
  }

  #hmac(key: Buffer, text: string): Buffer {
    return createHmac(this.#hash, key).update(text).digest();
  }
}

/** RFC 5802: a name's `=` and `,` are written in another way, because they divide a message. */
const escapeName = (name: string): string => name.replaceAll('=', '=3D').replaceAll(',', '=2C');

function attributesOf(message: string): ReadonlyMap<string, string> {
  const attributes = new Map<string, string>();
  for (const part of message.split(',')) {
    if (part[1] === '=') attributes.set(part.slice(0, 1), part.slice(2));
  }
  return attributes;
}
