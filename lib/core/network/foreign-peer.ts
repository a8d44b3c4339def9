/** What the first bytes of a peer that does not speak Kafka give away; undefined when they tell nothing. */
export function recognisePeer(firstBytes: Buffer): string | undefined {
  const text = firstBytes.toString('latin1', 0, 4);
  if (text === 'HTTP') return 'the peer speaks HTTP, not Kafka; is this the port of a Kafka listener?';
  if (text === 'SSH-') return 'the peer speaks SSH, not Kafka; is this the port of a Kafka listener?';
  // A TLS record: an alert (0x15) is what a TLS server answers to plain bytes, a handshake (0x16) what it begins with.
  if ((firstBytes[0] === 0x15 || firstBytes[0] === 0x16) && firstBytes[1] === 0x03) {
    return "the peer speaks TLS and this connection does not; set the option 'tls'";
  }
  if (/^[\x20-\x7e]{4}$/.test(text)) return `the peer answers in text ('${text}...'), not Kafka; is the port right?`;
  return undefined;
}
