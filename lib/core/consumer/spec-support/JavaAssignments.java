// Writes what the Java client's assignors give to random groups, as JSON:
//   java -cp '<kafka-clients and slf4j jars>' JavaAssignments.java > java-assignments.json
import java.util.*;
import java.util.stream.Collectors;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.consumer.ConsumerPartitionAssignor.*;
import org.apache.kafka.common.*;

public class JavaAssignments {
  public static void main(String[] args) {
    Random random = new Random(7);
    List<String> cases = new ArrayList<>();
    for (int number = 0; number < 60; number++) {
      Map<String, Integer> counts = new TreeMap<>();
      for (String topic : List.of("orders", "payments", "a", "Z-topic")) {
        if (random.nextInt(4) > 0) counts.put(topic, random.nextInt(8));
      }
      List<PartitionInfo> infos = new ArrayList<>();
      counts.forEach((topic, count) -> {
        for (int partition = 0; partition < count; partition++) {
          infos.add(new PartitionInfo(topic, partition, Node.noNode(), new Node[0], new Node[0]));
        }
      });
      Cluster cluster = new Cluster("c", List.of(), infos, Set.of(), Set.of());
      Map<String, Subscription> members = new LinkedHashMap<>();
      List<String> described = new ArrayList<>();
      int size = 1 + random.nextInt(6);
      boolean sameForAll = random.nextInt(3) > 0;
      List<String> all = List.of("orders", "payments", "a", "Z-topic", "missing");
      List<String> shared = pick(all, random);
      for (int index = 0; index < size; index++) {
        String id = (random.nextBoolean() ? "m" : "M") + random.nextInt(1000) + "-" + index;
        String instance = random.nextInt(3) == 0 ? "i" + random.nextInt(100) + "-" + index : null;
        Subscription subscription = new Subscription(sameForAll ? shared : pick(all, random));
        subscription.setGroupInstanceId(Optional.ofNullable(instance));
        members.put(id, subscription);
        described.add("{\"memberId\":" + quote(id) + ",\"groupInstanceId\":" + quote(instance) + ",\"topics\":"
            + subscription.topics().stream().map(JavaAssignments::quote).collect(Collectors.joining(",", "[", "]")) + "}");
      }
      String topics = counts.entrySet().stream().map(e -> quote(e.getKey()) + ":" + e.getValue())
          .collect(Collectors.joining(",", "{", "}"));
      cases.add("{\"partitions\":" + topics + ",\"members\":[" + String.join(",", described) + "],\"range\":"
          + result(new RangeAssignor(), cluster, members) + ",\"roundrobin\":"
          + result(new RoundRobinAssignor(), cluster, members) + "}");
    }
    System.out.println("[\n" + String.join(",\n", cases) + "\n]");
  }

  private static List<String> pick(List<String> all, Random random) {
    List<String> some = all.stream().filter(topic -> random.nextInt(3) > 0).collect(Collectors.toList());
    return some.isEmpty() ? List.of("a") : some;
  }

  private static String result(ConsumerPartitionAssignor assignor, Cluster cluster, Map<String, Subscription> members) {
    Map<String, Assignment> assigned = assignor.assign(cluster, new GroupSubscription(members)).groupAssignment();
    return members.keySet().stream().map(id -> quote(id) + ":" + assigned.get(id).partitions().stream()
            .sorted(Comparator.comparing(TopicPartition::topic).thenComparing(TopicPartition::partition))
            .map(tp -> quote(tp.topic() + "/" + tp.partition())).collect(Collectors.joining(",", "[", "]")))
        .collect(Collectors.joining(",", "{", "}"));
  }

  private static String quote(String text) {
    return text == null ? "null" : "\"" + text + "\"";
  }
}
