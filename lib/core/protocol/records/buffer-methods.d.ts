// As in ../wire: a method that Node's Buffer has had since its beginnings and its types leave out.
interface Buffer {
  latin1Write(text: string, offset: number, length: number): number;
}
