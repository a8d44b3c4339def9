import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.InputStream;
import java.io.PrintStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.HashMap;
import java.util.Map;
import java.util.Random;
import org.apache.kafka.common.protocol.ByteBufferAccessor;
import org.apache.kafka.common.protocol.Message;
import org.apache.kafka.common.protocol.MessageUtil;

/**
 * Writes wire vectors: for each API and version named on the command line ("Fetch:4-18"), several seeded values of its
 * request and response as JSON, and the bytes that the official client's own classes make of them. One JSON object a
 * line, the same lines at each run. Needs the jars of Apache Kafka on the class path; `npm run vectors` runs it.
 */
public class WireVectors {
    private static final JsonNodeFactory JSON = JsonNodeFactory.instance;
    private static final long MAX_SAFE = (1L << 53) - 1;
    private static final String[] WORDS = {
        "a", "orders.placed", "read_committed", "consumer-1", "zürich", "eu-west-1a", "日本", "🧵", "",
    };
    private static final String LONG_TEXT = "long.".repeat(30);

    /** How a value is filled. */
    private enum Fill { LEAST, MOST, CHANCE }

    private static final Fill[] FILLS = {Fill.LEAST, Fill.MOST, Fill.CHANCE, Fill.CHANCE, Fill.CHANCE, Fill.CHANCE};

    public static void main(String[] apis) throws Exception {
        PrintStream out = new PrintStream(System.out, false, StandardCharsets.UTF_8);
        for (String api : apis) {
            String name = api.substring(0, api.indexOf(':'));
            String[] range = api.substring(name.length() + 1).split("-");
            int from = Integer.parseInt(range[0]);
            int to = Integer.parseInt(range[range.length - 1]);
            for (String side : new String[] {"Request", "Response"}) {
                Side message = new Side(name + side);
                for (int version = from; version <= to; version++) {
                    for (int index = 0; index < FILLS.length; index++) {
                        Random random = new Random((name + side + version + "." + index).hashCode());
                        ObjectNode value = message.value(FILLS[index], (short) version, random);
                        ObjectNode line = JSON.objectNode();
                        line.put("api", name).put("side", side.toLowerCase()).put("version", version);
                        line.set("value", value);
                        line.put("bytes", Base64.getEncoder().encodeToString(message.bytes(value, (short) version)));
                        out.print(line + "\n");
                    }
                }
            }
        }
        out.flush();
    }

    /** A message as the clients jar defines it, and the classes generated from that definition. */
    private static final class Side {
        private final JsonNode definition;
        private final Map<String, JsonNode> commonStructs = new HashMap<>();
        private final String dataClass;

        Side(String name) throws Exception {
            ObjectMapper lenient = JsonMapper.builder().configure(JsonParser.Feature.ALLOW_COMMENTS, true).build();
            try (InputStream file = Message.class.getResourceAsStream("/common/message/" + name + ".json")) {
                definition = lenient.readTree(file);
            }
            for (JsonNode struct : definition.path("commonStructs")) {
                commonStructs.put(struct.get("name").asText(), struct.get("fields"));
            }
            dataClass = "org.apache.kafka.common.message." + name + "Data";
        }

        byte[] bytes(ObjectNode value, short version) throws Exception {
            Message message = (Message) Class.forName(dataClass + "JsonConverter")
                .getMethod("read", JsonNode.class, short.class)
                .invoke(null, value, version);
            ByteBuffer buffer = MessageUtil.toByteBufferAccessor(message, version).buffer();
            byte[] bytes = new byte[buffer.remaining()];
            buffer.get(bytes);
            Message again = (Message) Class.forName(dataClass).getConstructor().newInstance();
            again.read(new ByteBufferAccessor(ByteBuffer.wrap(bytes)), version);
            if (!again.equals(message)) throw new IllegalStateException(dataClass + " " + version + " is not read back");
            return bytes;
        }

        ObjectNode value(Fill fill, short version, Random random) {
            return struct(definition.get("fields"), fill, version, random, 0);
        }

        private ObjectNode struct(JsonNode fields, Fill fill, short version, Random random, int depth) {
            ObjectNode value = JSON.objectNode();
            for (JsonNode field : fields) {
                if (!in(field.path("versions"), version)) continue;
                boolean tagged = in(field.path("taggedVersions"), version);
                if (tagged && (fill == Fill.LEAST || (fill == Fill.CHANCE && random.nextBoolean()))) continue;
                String name = field.get("name").asText();
                value.set(Character.toLowerCase(name.charAt(0)) + name.substring(1), field(field, fill, version, random, depth));
            }
            return value;
        }

        private JsonNode field(JsonNode field, Fill fill, short version, Random random, int depth) {
            String type = field.get("type").asText();
            boolean nullable = in(field.path("nullableVersions"), version);
            if (nullable && (fill == Fill.LEAST || (fill == Fill.CHANCE && random.nextInt(3) == 0))) return JSON.nullNode();
            if (!type.startsWith("[]")) return one(type, field, fill, version, random, depth);
            ArrayNode items = JSON.arrayNode();
            int length = fill == Fill.LEAST ? 0 : fill == Fill.MOST ? (depth == 0 ? 2 : 1) : random.nextInt(3);
            for (int index = 0; index < length; index++) {
                items.add(one(type.substring(2), field, fill, version, random, depth + 1));
            }
            return items;
        }

        private JsonNode one(String type, JsonNode field, Fill fill, short version, Random random, int depth) {
            switch (type) {
                case "bool":
                    return JSON.booleanNode(fill == Fill.MOST || (fill == Fill.CHANCE && random.nextBoolean()));
                case "int8":
                    return JSON.numberNode((int) number(fill, random, Byte.MIN_VALUE, Byte.MAX_VALUE));
                case "int16":
                    return JSON.numberNode((int) number(fill, random, Short.MIN_VALUE, Short.MAX_VALUE));
                case "uint16":
                    return JSON.numberNode((int) number(fill, random, 0, 0xffff));
                case "int32":
                    return JSON.numberNode((int) number(fill, random, Integer.MIN_VALUE, Integer.MAX_VALUE));
                case "uint32":
                    return JSON.numberNode(number(fill, random, 0, 0xffffffffL));
                case "int64":
                    return JSON.numberNode(number(fill, random, -MAX_SAFE, MAX_SAFE));
                case "float64":
                    return JSON.numberNode(fill == Fill.LEAST ? 0 : random.nextInt() / 8.0);
                case "string":
                    return JSON.textNode(text(fill, random));
                case "uuid":
                    return JSON.textNode(Base64.getUrlEncoder().withoutPadding().encodeToString(
                        fill == Fill.LEAST ? new byte[16] : bytes(16, random)));
                case "bytes":
                case "records":
                    return JSON.binaryNode(bytes(fill == Fill.LEAST ? 0 : random.nextInt(12), random));
                default:
                    JsonNode fields = field.has("fields") ? field.get("fields") : commonStructs.get(type);
                    return struct(fields, fill, version, random, depth);
            }
        }

        private static long number(Fill fill, Random random, long least, long most) {
            if (fill == Fill.LEAST) return 0;
            switch (fill == Fill.MOST ? 4 : random.nextInt(6)) {
                case 0:
                    return least;
                case 1:
                    return most;
                case 2:
                    return Math.max(least, -1);
                case 3:
                    return random.nextInt(10);
                default:
                    return random.nextLong(least, most);
            }
        }

        private static String text(Fill fill, Random random) {
            if (fill == Fill.LEAST) return "";
            if (random.nextInt(20) == 0) return LONG_TEXT;
            return fill == Fill.MOST ? WORDS[random.nextInt(WORDS.length - 1)] : WORDS[random.nextInt(WORDS.length)];
        }

        private static byte[] bytes(int length, Random random) {
            byte[] bytes = new byte[length];
            random.nextBytes(bytes);
            return bytes;
        }

        /** Whether a range such as "0+", "3-5", "2" or "none" has the version. */
        private static boolean in(JsonNode range, short version) {
            String text = range.asText("none");
            if (text.isEmpty() || text.equals("none")) return false;
            if (text.endsWith("+")) return version >= Integer.parseInt(text.substring(0, text.length() - 1));
            String[] ends = text.split("-");
            return version >= Integer.parseInt(ends[0]) && version <= Integer.parseInt(ends[ends.length - 1]);
        }
    }
}
