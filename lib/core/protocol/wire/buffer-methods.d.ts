// Methods that Node's Buffer has had since its beginnings and its types leave out: they skip the
// encoding look-up of `write` and `toString`, which shows on the hot paths.
interface Buffer {
  utf8Write(text: string, offset: number, length?: number): number;
  utf8Slice(start: number, end: number): string;
  latin1Slice(start: number, end: number): string;
  base64urlWrite(text: string, offset: number, length: number): number;
  base64urlSlice(start: number, end: number): string;
}
