/*
 * Oracle.java: what Kafka's own Java classes do and see, for tests/cli/kafka.py: one process, a command a line, answers as lines
 * that end with "." alone. It knows nothing of leat.
 *
 *   reset ARG...                       StreamsResetter, the class behind kafka-streams-application-reset
 *   commit GROUP TOPIC PARTITION N     a group's offset
 *   offsets GROUP                      TOPIC PARTITION OFFSET
 *   topics                             names
 *   config TOPIC NAME                  its value
 *   partition KEY COUNT                where the Java producer puts that key
 *   transactions TOPIC                 one committed record (key c), one aborted (key a)
 *   trim TOPIC PARTITION N             records before that offset are deleted
 *   join GROUP TOPIC PROTOCOL | leave  a member, and its end; of protocol classic it is a static one, so that it stays a member until
 *                                      its session times out
 */
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.time.Duration;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.TreeSet;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.ListTopicsOptions;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.apache.kafka.common.utils.Utils;
import org.apache.kafka.tools.StreamsResetter;

public class Oracle {
    private final String servers;
    private final Admin admin;
    private KafkaConsumer<String, String> member;

    Oracle(String servers) {
        this.servers = servers;
        Properties p = new Properties();
        p.put("bootstrap.servers", servers);
        admin = Admin.create(p);
    }

    private void reset(List<String> args) {
        String[] all = new String[args.size() + 2];
        args.toArray(all);
        all[args.size()] = "--bootstrap-server";
        all[args.size() + 1] = servers;
        System.out.println("status " + new StreamsResetter().execute(all));
    }

    private void offsets(String group) throws Exception {
        Map<TopicPartition, OffsetAndMetadata> found = admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get();
        TreeSet<String> lines = new TreeSet<>();
        found.forEach((at, offset) -> lines.add(at.topic() + " " + at.partition() + " " + offset.offset()));
        lines.forEach(System.out::println);
    }

    private void transactions(String topic) {
        Properties p = new Properties();
        p.put("bootstrap.servers", servers);
        p.put("transactional.id", "oracle");
        try (KafkaProducer<String, String> producer = new KafkaProducer<>(p, new StringSerializer(), new StringSerializer())) {
            producer.initTransactions();
            producer.beginTransaction();
            producer.send(new ProducerRecord<>(topic, "c", "committed"));
            producer.commitTransaction();
            producer.beginTransaction();
            producer.send(new ProducerRecord<>(topic, "a", "aborted"));
            producer.flush();
            producer.abortTransaction();
        }
    }

    private void join(String group, String topic, String protocol) {
        Properties p = new Properties();
        p.put("bootstrap.servers", servers);
        p.put("group.id", group);
        p.put("group.protocol", protocol);
        if (protocol.equals("classic")) {
            p.put("group.instance.id", "oracle-1");
            p.put("session.timeout.ms", "6000");
            p.put("heartbeat.interval.ms", "2000");
        }
        member = new KafkaConsumer<>(p, new StringDeserializer(), new StringDeserializer());
        member.subscribe(Collections.singleton(topic));
        while (member.assignment().isEmpty())
            member.poll(Duration.ofMillis(100));
    }

    private void obey(String[] w) throws Exception {
        switch (w[0]) {
            case "reset":
                reset(Arrays.asList(w).subList(1, w.length));
                break;
            case "commit":
                admin.alterConsumerGroupOffsets(w[1], Map.of(new TopicPartition(w[2], Integer.parseInt(w[3])),
                    new OffsetAndMetadata(Long.parseLong(w[4])))).all().get();
                break;
            case "offsets":
                offsets(w[1]);
                break;
            case "topics":
                new TreeSet<>(admin.listTopics(new ListTopicsOptions().listInternal(true)).names().get()).forEach(System.out::println);
                break;
            case "config":
                ConfigResource r = new ConfigResource(ConfigResource.Type.TOPIC, w[1]);
                System.out.println(admin.describeConfigs(List.of(r)).all().get().get(r).get(w[2]).value());
                break;
            case "partition":
                System.out.println(Utils.toPositive(Utils.murmur2(w[1].getBytes("UTF-8"))) % Integer.parseInt(w[2]));
                break;
            case "transactions":
                transactions(w[1]);
                break;
            case "trim":
                admin.deleteRecords(Map.of(new TopicPartition(w[1], Integer.parseInt(w[2])),
                    RecordsToDelete.beforeOffset(Long.parseLong(w[3])))).all().get();
                break;
            case "join":
                join(w[1], w[2], w[3]);
                break;
            case "leave":
                member.close();
                break;
            default:
                throw new IllegalArgumentException(w[0]);
        }
    }

    public static void main(String[] args) throws Exception {
        Oracle oracle = new Oracle(args[0]);
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            try {
                oracle.obey(line.split(" "));
            } catch (Exception e) {
                System.out.println("ERROR " + e);
            }
            System.out.println(".");
            System.out.flush();
        }
    }
}
