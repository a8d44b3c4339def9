import { murmur2, partitionOfKey } from './murmur2.js';

// Written by org.apache.kafka.common.utils.Utils.murmur2 of kafka-clients 4.3.1: the text, its hash, and the partition that
// Utils.toPositive(hash) gives it among 6 and among 97.
const JAVA_TEXTS: readonly [string, number, number, number][] = [
  ['', 275646681, 3, 35],
  ['a', -1563381124, 4, 49],
  ['ab', 316155434, 2, 36],
  ['abc', 479470107, 3, 77],
  ['abcd', -1323649548, 2, 5],
  ['abcde', 461995741, 1, 67],
  ['abcdef', 1870650108, 0, 64],
  ['abcdefg', -346467175, 1, 13],
  ['abcdefgh', -955427363, 3, 5],
  ['21', -973932308, 0, 41],
  ['foobar', -790332482, 0, 13],
  ['a-little-bit-long-string', -985981536, 2, 56],
  ['a-little-bit-longer-string', -1486304829, 5, 47],
  ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971, 5, 10],
  ['order-1000001', 416029156, 4, 36],
  ['0', 971027396, 2, 69],
  ['42', 417700972, 4, 57],
  ['2147483647', -427214283, 5, 70],
  ['-1', 1531782027, 3, 28],
  ['key with spaces', 1291295160, 0, 23],
  ['\u007f', 21296028, 0, 66],
  ['\u0080', -1485454502, 0, 72],
  ['\u00e9', 186971271, 3, 85],
  ['caf\u00e9', -1358007374, 0, 64],
  ['\u20ac 12.50', -381358295, 3, 84],
  ['\u65e5\u672c\u8a9e', 1431860170, 4, 5],
  ['\ud83d\ude00', 131881617, 3, 29],
  ['mixed \ud83d\ude00 ascii', 1932725423, 5, 35],
  ['\u0000', 375494588, 2, 22],
  ['\u0000\u0001\u0002\u0003\u0004', -1916494074, 2, 79],
  ['The quick brown fox jumps over the lazy dog', 495243318, 0, 21],
  ['\u0442\u0435\u0441\u0442', -354569206, 4, 4],
];

// The same, of random bytes in hexadecimal.
const JAVA_BYTES: readonly [string, number][] = [
  ['', 275646681],
  ['35', 55100550],
  ['f78a', 1288432276],
  ['e1bbe7', -983584298],
  ['28c0450c', -392157833],
  ['e43c084f4b', 650222576],
  ['839dee466d85', 609540322],
  ['be6a61aa9a0c61', -2055415863],
  ['bd6743e7dc978573', 496582918],
  ['998e685e885cb361f8', -2143606509],
  ['20bebfb01100b2765457', 1749477346],
  ['0f406cc8e3a188fff11059', 239636182],
  ['6fbce62655dfbd6f83b89670', -715584511],
  ['d6d9f9bf52d83deedc0bf66205', 1343331766],
  ['16ad682d8c478a26f45027984959', 434214673],
  ['dd53b3351a572b40f27f72d37f347b', -221833639],
  ['9979162cfa959d2832a46196d92c3046', 1156755985],
  ['97e953c0026cc4a45eb32f92829e8d14ee', 963358898],
  [
    'edc93517ef7da4c0ce2972cc9b060b08b6460851f3a3a05bb102f732ed235bd1283ed5021192ed6a754300c523675af9b6c4a514cacaa1b6a736738853ee067b87849adf0100aa4a52cc32388c082af3d5d78b98bcc00bd26fae51303f23fba277b4e0602cbf7e5e9ba8ec22daa9395cbb3cb06feaf2456f0a5717a6b5bb',
    -1857453826,
  ],
  [
    '79092bb2831b0279bb5070f331dc11786481868c3667cbd3ed4091091e01aa26a3d1750dfb4178d5d1a3e2c95da3d6759f5be1c2c790d347801aa2a1c6b52a321eac46580edde42d2e8a65f64ba69ddd914f387b8934917ca07a548c5dcdc46ba917160239c103a2db67f4c18eef29b32fa68ba1aa5db9501dfbfb1177b555921451ec577c',
    448334925,
  ],
  [
    '105f6c4adb3d2fdfc7b360271f6244ce3d236f400c2ec09dc6814b62dd03d65fbe626a1d8de47eb2786e90251df79ae83722a44af8b13632383ec12be5cd22cf0719e948223cc0a0b454e2c7a055a176b9593aa87c6f3a4e7854b9ff2181378ac08dc8cbbba296a2c5a3adb1e76e522063b8ba17bbd0507fa7ea6bcaa20ffe06f6b4a9aba00c570946defa77',
    -1442542522,
  ],
  [
    'f530dd7b4ae498753e94b1a77bed00447df0506566bdc778ba24aff0a6a2df2212db756276353fd171756fa5bece42fa4c3c3dc50333b9b318fddfe4a9d10e6549624d996480af482365ddf9cd937a9dacd9bb1373f1425c6a4f6ec6e604d75de8e5604784b082fa0a5232e619344f2ebdb9b35f93e6a6eb894d6a6e4955094702341355bc3251cd3d81ad50aa47c2cba52457',
    -811136344,
  ],
  [
    'efa41820ed01b11893718265f05dc2bee32fcee2b876bd2b9705a4e90d162ece4ac6414a3540c923d50450f0cc5ccb1747971f4cdb6deb068f9218a9a2a95f8c1c1e0041a3253e48f96cac67f4c5adf728f93cfceb618de7539f08e695970c580fbcc7ba9d29990339c14a028d8f41cf3a315f0490a680853957974d1cc1ccd582be528f2ebe5d95a628ad6cfee430b027e1cadd56106f8eab9e',
    -1046535420,
  ],
  [
    'efcca11d06f5884f8280a896a2807f13700b28e50bbb7fe32cad60a0a6a13aa9cbd3f061e352c9b46df953e76653309755566dd5f69b9625e70c9c423cb2f101f31c55f69431ffa3e5edc4657d1e42d4de2bd3926d76586fc01917421277bdf1aaea5dd246632de4843fc0a847e90e218319369dea0c58b0d280fa7ce2692435ba56895c5e155933075decbc772bf8fe7ff8f8da577c18f89daaf956faa54a81f0',
    -1655530863,
  ],
];

describe('murmur2', () => {
  it.each(JAVA_TEXTS)('hashes the text %j as Java does', (text, hash) => {
    expect(murmur2(text)).toBe(hash);
    expect(murmur2(Buffer.from(text))).toBe(hash);
  });

  it.each(JAVA_BYTES)('hashes the bytes 0x%s as Java does', (hex, hash) => {
    expect(murmur2(Buffer.from(hex, 'hex'))).toBe(hash);
  });

  it.each(JAVA_TEXTS)('puts the key %j on the partition that Java does', (text, _hash, ofSix, ofNinetySeven) => {
    expect(partitionOfKey(text, 6)).toBe(ofSix);
    expect(partitionOfKey(text, 97)).toBe(ofNinetySeven);
  });

  it('takes the low 31 bits of a negative hash, which an unsigned shift would not', () => {
    const negative = JAVA_TEXTS.filter(([, hash]) => hash < 0);
    expect(negative.length).toBeGreaterThan(5);
    expect(negative.some(([text, hash]) => partitionOfKey(text, 97) !== (hash >>> 0) % 97)).toBe(true);
  });

  it('hashes text wherever its first character beyond ASCII stands', () => {
    for (let at = 0; at < 9; at++) {
      const text = `${'x'.repeat(at)}\u00e9${'y'.repeat(9 - at)}`;
      expect(murmur2(text)).toBe(murmur2(Buffer.from(text)));
    }
  });
});
