import type { SaslConversation } from './sasl-mechanism.js';
import { ScramMechanism, type ScramHash } from './scram.js';

// What Kafka's own ScramFormatter makes of this name, password, salt and nonce: no SASLprep, or the ligature and the
// no-break space would give other keys.
const USERNAME = '\u00e4nn=a,b';
const PASSWORD = 'p\u00e4ss\ufb01\u00a0x';
const NONCE = 'Zml4ZWQtbm9uY2Utb2YtMjQtYnl0ZXMh';
const CLIENT_FIRST = `n,,n=\u00e4nn=3Da=2Cb,r=${NONCE}`;
const SERVER_FIRST = `r=${NONCE}SERVER,s=c2FsdFNBTFRzYWx0,i=4096`;
const VECTORS = [
  ['sha256', 'ic/nJ/4QlZBOlC0aRGv6A7r5KmC+nwB1PhT01PMy4dg=', '0EARN4Ob9Dfg4Kos37+Y6fVCitIKNH+atWe2IYEl+tU='],
  [
    'sha512',
    '1VXkMdqcm8LV2jy1IaNEXzJUoAodtmb1PVh82TBColTw3AemuH7H3SXRDHInBTno8fZmxfgXGyji/6htBevUiQ==',
    '8HwnO86wwoR7zABbLylcxEsP92nxvuQJIUB5n57mEi0//RvBlVNcicn8dbMY0cjRe2fn60DowY//O4goofeGbg==',
  ],
] as const;

function begin(hash: ScramHash = 'sha256'): SaslConversation {
  return new ScramMechanism(hash, USERNAME, PASSWORD).begin({
    address: 'b:9092',
    randomBytes: (length) => Buffer.from(NONCE, 'base64').subarray(0, length),
    signal: new AbortController().signal,
  });
}

async function say(conversation: SaslConversation, challenge: string | undefined): Promise<string | undefined> {
  return (await conversation.respond(challenge === undefined ? undefined : Buffer.from(challenge)))?.toString();
}

/** Brings a conversation to the point where the broker has to prove itself. */
async function proved(): Promise<SaslConversation> {
  const conversation = begin();
  await say(conversation, undefined);
  await say(conversation, SERVER_FIRST);
  return conversation;
}

describe('ScramMechanism', () => {
  it.each(VECTORS)(
    "says with %s what Kafka's own formatter says, and accepts its signature",
    async (hash, proof, signature) => {
      const conversation = begin(hash);
      expect(await say(conversation, undefined)).toBe(CLIENT_FIRST);
      expect(await say(conversation, SERVER_FIRST)).toBe(`c=biws,r=${NONCE}SERVER,p=${proof}`);
      expect(await say(conversation, `v=${signature}`)).toBeUndefined();
    },
  );

  it('names whom to act as', async () => {
    const context = { address: 'b', randomBytes: (n: number) => Buffer.alloc(n), signal: new AbortController().signal };
    const conversation = new ScramMechanism('sha256', 'ann', 'pw', 'b=c').begin(context);
    expect(await say(conversation, undefined)).toMatch(/^n,a=b=3Dc,n=ann,r=/);
    const nonce = Buffer.alloc(24).toString('base64');
    const final = await say(conversation, `r=${nonce}X,s=AAAA,i=4096`);
    expect(final).toContain(`c=${Buffer.from('n,a=b=3Dc,').toString('base64')},`);
  });

  it.each([
    ['a nonce that is not a continuation of ours', `r=elsewhere,s=c2FsdA==,i=4096`, /nonce/],
    ['our nonce with nothing of its own', `r=${NONCE},s=c2FsdA==,i=4096`, /nonce/],
    ['no nonce', `s=c2FsdA==,i=4096`, /nonce/],
    ['no salt', `r=${NONCE}X,i=4096`, /salt/],
    ['too few iterations', `r=${NONCE}X,s=c2FsdA==,i=4095`, /4095 iterations/],
    ['more iterations than are sane', `r=${NONCE}X,s=c2FsdA==,i=600001`, /600001 iterations/],
    ['iterations that are no number', `r=${NONCE}X,s=c2FsdA==,i=many`, /iterations/],
    ['iterations of endless digits', `r=${NONCE}X,s=c2FsdA==,i=99999999999999999999`, /iterations/],
  ])('refuses a broker that sends %s', async (_what, serverFirst, problem) => {
    const conversation = begin();
    await say(conversation, undefined);
    await expect(say(conversation, serverFirst)).rejects.toThrow(problem);
  });

  it.each([
    ['a wrong signature', `v=${Buffer.alloc(32).toString('base64')}`, /signature/],
    ['a signature of the wrong length', 'v=AAAA', /signature/],
    ['no signature', 'x=1', /signature/],
    ['an error', 'e=invalid-proof', /invalid-proof/],
  ])('refuses a broker that ends with %s', async (_what, serverFinal, problem) => {
    await expect(say(await proved(), serverFinal)).rejects.toThrow(problem);
  });

  it('refuses to go on after the end', async () => {
    const conversation = await proved();
    await say(conversation, `v=${VECTORS[0][2]}`);
    await expect(say(conversation, '')).rejects.toThrow(/goes on/);
  });
});
