import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.message.LeaderChangeMessage;
import org.apache.kafka.common.record.TimestampType;
import org.apache.kafka.common.record.internal.ControlRecordType;
import org.apache.kafka.common.record.internal.DefaultRecordBatch;
import org.apache.kafka.common.record.internal.EndTransactionMarker;
import org.apache.kafka.common.record.internal.MemoryRecords;
import org.apache.kafka.common.record.internal.MemoryRecordsBuilder;
import org.apache.kafka.common.record.internal.MutableRecordBatch;
import org.apache.kafka.common.record.internal.Record;
import org.apache.kafka.common.record.internal.RecordBatch;
import org.apache.kafka.common.utils.BufferSupplier;
import org.apache.kafka.common.utils.ByteBufferOutputStream;
import org.apache.kafka.common.utils.CloseableIterator;

/**
 * Record batches as the Java client writes and reads them.
 *
 *   java -cp 'jars/*' RecordVectors.java write     prints the test vectors as JSON
 *   java -cp 'jars/*' RecordVectors.java read      reads batches, a line of base64 each, and prints what it saw as JSON
 */
public final class RecordVectors {
    private static final long NOW = 1_750_000_000_000L;
    private static final List<String> CODECS = List.of("none", "gzip", "snappy", "lz4", "zstd");
    private static final ObjectMapper JSON = new ObjectMapper();

    private record Written(long offset, long timestamp, byte[] key, byte[] value, Header[] headers) {}

    public static void main(String[] arguments) throws Exception {
        if (arguments[0].equals("write")) write();
        else read();
    }

    // ---- what the Java client writes

    private static void write() throws Exception {
        List<Map<String, Object>> vectors = new ArrayList<>();
        for (String codec : CODECS) {
            vectors.add(batch("every kind of content, " + codec, codec, everyKind(), 7000L, (short) 3, 41, false));
            vectors.add(batch("nothing to gain, " + codec, codec, noise(), 7001L, (short) 0, 0, true));
            vectors.add(generated(codec));
        }
        vectors.add(batch("no producer id, none", "none", everyKind(), -1, (short) -1, -1, false));
        vectors.add(batch("timestamps far apart, none", "none", farApart(), -1, (short) -1, -1, false));
        vectors.add(batch("timestamps far apart, lz4", "lz4", farApart(), -1, (short) -1, -1, false));
        vectors.add(batch("a sequence about to wrap, none", "none", everyKind(), 1L << 40, Short.MAX_VALUE, Integer.MAX_VALUE - 1, true));
        for (String codec : List.of("none", "zstd")) {
            vectors.add(kept("log append time, " + codec, codec, (1L << 40) + 5, 17, TimestampType.LOG_APPEND_TIME, NOW + 77,
                RecordBatch.NO_TIMESTAMP, new long[] {0, 1, 2, 3, 4, 5, 6, 7, 8}));
            vectors.add(kept("compacted, with a delete horizon, " + codec, codec, 500, 2, TimestampType.CREATE_TIME,
                RecordBatch.NO_TIMESTAMP, NOW + 86_400_000L, new long[] {3, 4, 9, 20, 21, 22, 23, 24, 60}));
        }
        vectors.add(batch("a header repeated apart, none", "none", repeatedApart(), -1, (short) -1, -1, false));
        vectors.add(emptied());
        vectors.add(marker("commit", ControlRecordType.COMMIT));
        vectors.add(marker("abort", ControlRecordType.ABORT));
        vectors.add(leaderChange());
        vectors.add(legacy((byte) 1));
        vectors.add(legacy((byte) 0));
        print(vectors);
    }

    private static Map<String, Object> batch(
            String name, String codec, List<Written> records, long producerId, short epoch, int sequence, boolean transactional) {
        MemoryRecordsBuilder builder = MemoryRecords.builder(ByteBuffer.allocate(1 << 16), RecordBatch.MAGIC_VALUE_V2,
            Compression.of(codec).build(), TimestampType.CREATE_TIME, 0L, RecordBatch.NO_TIMESTAMP, producerId, epoch, sequence,
            transactional, RecordBatch.NO_PARTITION_LEADER_EPOCH);
        for (Written record : records) builder.append(record.timestamp, record.key, record.value, record.headers);
        return vector(name, builder.build().buffer(), true);
    }

    /** Some 300 KB, so that every codec writes several blocks; the test makes the same contents itself. */
    private static Map<String, Object> generated(String codec) {
        int count = 300;
        MemoryRecordsBuilder builder = MemoryRecords.builder(ByteBuffer.allocate(1 << 19), RecordBatch.MAGIC_VALUE_V2,
            Compression.of(codec).build(), TimestampType.CREATE_TIME, 0L, RecordBatch.NO_TIMESTAMP, -1L, (short) -1, -1,
            false, RecordBatch.NO_PARTITION_LEADER_EPOCH);
        for (int i = 0; i < count; i++) {
            builder.append(NOW + i, bytes("key-" + i), bytes(("value " + (i % 97) + ' ').repeat(60 + i % 120)), Record.EMPTY_HEADERS);
        }
        ByteBuffer built = builder.build().buffer();
        Map<String, Object> vector = vector("several blocks, " + codec, built, false);
        vector.put("generated", count);
        if (codec.equals("none")) {
            // Only the checksum: the test makes the same bytes.
            vector.put("sha256", sha256(built));
            vector.remove("bytes");
        }
        return vector;
    }

    /** A batch as it lies in a log: appended at an offset and an epoch. */
    private static Map<String, Object> kept(String name, String codec, long baseOffset, int leaderEpoch, TimestampType timestampType,
            long logAppendTime, long deleteHorizon, long[] deltas) {
        MemoryRecordsBuilder builder = new MemoryRecordsBuilder(new ByteBufferOutputStream(1 << 16), RecordBatch.MAGIC_VALUE_V2,
            Compression.of(codec).build(), timestampType, baseOffset, logAppendTime, 9L, (short) 1, 12, false, false,
            leaderEpoch, 1 << 16, deleteHorizon);
        int index = 0;
        for (Written record : everyKind()) {
            builder.appendWithOffset(baseOffset + deltas[index++], record.timestamp, record.key, record.value, record.headers);
        }
        if (deltas[deltas.length - 1] != deltas.length - 1) builder.overrideLastOffset(baseOffset + 99);
        return vector(name, builder.build().buffer(), true);
    }

    private static Map<String, Object> emptied() {
        ByteBuffer buffer = ByteBuffer.allocate(DefaultRecordBatch.RECORD_BATCH_OVERHEAD);
        DefaultRecordBatch.writeEmptyHeader(buffer, RecordBatch.MAGIC_VALUE_V2, 11L, (short) 4, 90, 1000L, 1049L, 6,
            TimestampType.CREATE_TIME, NOW, true, false);
        buffer.flip();
        return vector("emptied by compaction", buffer, true);
    }

    private static Map<String, Object> marker(String name, ControlRecordType type) {
        MemoryRecords records = MemoryRecords.withEndTransactionMarker(321L, NOW, 8, 7000L, (short) 3, new EndTransactionMarker(type, 15));
        return vector("end of a transaction: " + name, records.buffer(), true);
    }

    private static Map<String, Object> leaderChange() {
        LeaderChangeMessage message = new LeaderChangeMessage().setVersion((short) 0).setLeaderId(2);
        MemoryRecords records = MemoryRecords.withLeaderChangeMessage(12L, NOW, 3, ByteBuffer.allocate(256), message);
        return vector("a control record that is no marker", records.buffer(), true);
    }

    private static Map<String, Object> legacy(byte magic) {
        MemoryRecordsBuilder builder = MemoryRecords.builder(ByteBuffer.allocate(1 << 16), magic, Compression.NONE,
            TimestampType.CREATE_TIME, 0L);
        builder.append(magic == 0 ? RecordBatch.NO_TIMESTAMP : NOW, bytes("k"), bytes("v"));
        Map<String, Object> vector = new LinkedHashMap<>();
        vector.put("name", "message format " + magic);
        vector.put("magic", magic);
        vector.put("bytes", base64(builder.build().buffer()));
        return vector;
    }

    private static List<Written> everyKind() {
        Header[] none = Record.EMPTY_HEADERS;
        List<Written> records = new ArrayList<>();
        records.add(written(0, bytes("order-1"), bytes("{\"price\":12.50}"), none));
        records.add(written(1, null, bytes("without a key"), none));
        records.add(written(1, bytes("deleted"), null, none));
        records.add(written(2, null, null, none));
        records.add(written(3, new byte[0], new byte[0], none));
        records.add(written(130, bytes("schlüssel-✓-😀"), bytes("värde ✓ 😀"),
            new Header[] {header("größe", bytes("groß")), header("empty", new byte[0]), header("null", null), header("", bytes("no name"))}));
        records.add(written(9000, bytes("repeated"), bytes("x".repeat(300)),
            new Header[] {header("trace", bytes("a")), header("trace", null), header("trace", bytes("c")), header("other", bytes("o"))}));
        records.add(written(-5, bytes("k".repeat(200)), bytes("earlier than the first"), none));
        records.add(written(2_000_000, new byte[] {0, (byte) 0xff, (byte) 0x80}, new byte[] {(byte) 0xfe, 0, 1}, none));
        return records;
    }

    private static List<Written> repeatedApart() {
        Header[] headers = {header("a", bytes("1")), header("b", bytes("2")), header("a", bytes("3")), header("__proto__", bytes("4"))};
        return List.of(written(0, null, bytes("v"), headers));
    }

    private static List<Written> noise() {
        byte[] value = new byte[300];
        int state = 0x2545f491;
        for (int i = 0; i < value.length; i++) {
            state ^= state << 13;
            state ^= state >>> 17;
            state ^= state << 5;
            value[i] = (byte) state;
        }
        return List.of(written(0, null, value, Record.EMPTY_HEADERS));
    }

    /** 31 days, 2^40 ms, back to the epoch and before the first record, and on to the largest safe integer. */
    private static List<Written> farApart() {
        long[] timestamps = {NOW, NOW + 31L * 86_400_000L, NOW - 31L * 86_400_000L, NOW + (1L << 40), 0, NOW + (1L << 31), NOW - (1L << 31),
            NOW + (1L << 30), NOW - (1L << 30) - 1, (1L << 53) - 1, NOW};
        List<Written> records = new ArrayList<>();
        for (long timestamp : timestamps) {
            records.add(new Written(0, timestamp, bytes("k"), bytes(Long.toString(timestamp)), Record.EMPTY_HEADERS));
        }
        return records;
    }

    private static Written written(long later, byte[] key, byte[] value, Header[] headers) {
        return new Written(0, NOW + later, key, value, headers);
    }

    // ---- what the Java client reads

    private static void read() throws Exception {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.US_ASCII));
        List<Map<String, Object>> seen = new ArrayList<>();
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            ByteBuffer bytes = ByteBuffer.wrap(Base64.getDecoder().decode(line));
            seen.add(describe(bytes, true));
        }
        print(seen);
    }

    private static Map<String, Object> vector(String name, ByteBuffer bytes, boolean withRecords) {
        Map<String, Object> vector = new LinkedHashMap<>();
        vector.put("name", name);
        vector.put("batch", describe(bytes.duplicate(), withRecords));
        vector.put("bytes", base64(bytes));
        return vector;
    }

    private static Map<String, Object> describe(ByteBuffer bytes, boolean withRecords) {
        MutableRecordBatch batch = MemoryRecords.readableRecords(bytes).batches().iterator().next();
        batch.ensureValid();
        Map<String, Object> described = new LinkedHashMap<>();
        described.put("baseOffset", batch.baseOffset());
        described.put("lastOffset", batch.lastOffset());
        described.put("partitionLeaderEpoch", batch.partitionLeaderEpoch());
        described.put("compression", batch.compressionType().name);
        described.put("timestampType", batch.timestampType().name);
        described.put("baseTimestamp", ((DefaultRecordBatch) batch).baseTimestamp());
        described.put("maxTimestamp", batch.maxTimestamp());
        described.put("deleteHorizonMs", batch.deleteHorizonMs().isPresent() ? batch.deleteHorizonMs().getAsLong() : null);
        described.put("producerId", batch.producerId());
        described.put("producerEpoch", batch.producerEpoch());
        described.put("baseSequence", batch.baseSequence());
        described.put("lastSequence", batch.lastSequence());
        described.put("isTransactional", batch.isTransactional());
        described.put("isControl", batch.isControlBatch());
        described.put("recordCount", batch.countOrNull());
        described.put("crc", batch.checksum());
        if (!withRecords) return described;
        List<Object> records = new ArrayList<>();
        try (CloseableIterator<Record> iterator = batch.streamingIterator(BufferSupplier.NO_CACHING)) {
            while (iterator.hasNext()) {
                Record record = iterator.next();
                Map<String, Object> one = new LinkedHashMap<>();
                one.put("offset", record.offset());
                one.put("timestamp", record.timestamp());
                one.put("key", base64(record.key()));
                one.put("value", base64(record.value()));
                List<Object> headers = new ArrayList<>();
                for (Header header : record.headers()) headers.add(Arrays.asList(header.key(), header.value() == null ? null : base64(ByteBuffer.wrap(header.value()))));
                one.put("headers", headers);
                records.add(one);
            }
        }
        described.put("records", records);
        return described;
    }

    /** One element a line: short, and a change shows where it is. */
    private static void print(List<?> all) throws Exception {
        List<String> lines = new ArrayList<>();
        for (Object one : all) lines.add(JSON.writeValueAsString(one));
        System.out.println("[\n" + String.join(",\n", lines) + "\n]");
    }

    private static Header header(String key, byte[] value) {
        return new RecordHeader(key, value);
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    private static String base64(ByteBuffer buffer) {
        if (buffer == null) return null;
        byte[] bytes = new byte[buffer.remaining()];
        buffer.duplicate().get(bytes);
        return Base64.getEncoder().encodeToString(bytes);
    }

    private static String sha256(ByteBuffer buffer) {
        try {
            java.security.MessageDigest digest = java.security.MessageDigest.getInstance("SHA-256");
            digest.update(buffer.duplicate());
            return java.util.HexFormat.of().formatHex(digest.digest());
        } catch (java.security.NoSuchAlgorithmException error) {
            throw new IllegalStateException(error);
        }
    }
}
