/* The topology of takeover.c on Kafka Streams. Takeover.java BROKERS STATE-DIR [describe]; stops and leaves the group on SIGTERM. */
import java.time.Duration;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.KGroupedStream;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.KTable;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Named;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.kstream.TimeWindows;
import org.apache.kafka.streams.kstream.Windowed;
import org.apache.kafka.streams.kstream.WindowedSerdes;

public class Takeover {
    public static void main(String[] args) throws Exception {
        StreamsBuilder b = new StreamsBuilder();
        KStream<String, String> events = b.stream("events");
        KGroupedStream<String, String> same =
            events.groupBy((key, value) -> value, Grouped.with("by-number", Serdes.String(), Serdes.String()));
        KTable<String, Long> counts = same.count(Named.as("counts"), Materialized.as("counts"));
        KTable<Windowed<String>, Long> hours = same.windowedBy(TimeWindows.ofSizeAndGrace(Duration.ofHours(1), Duration.ofDays(1)))
            .count(Named.as("hours"), Materialized.as("hours"));
        counts.toStream().to("counts-out", Produced.with(Serdes.String(), Serdes.Long()));
        hours.toStream().to("hours-out",
            Produced.with(WindowedSerdes.timeWindowedSerdeFrom(String.class, Duration.ofHours(1).toMillis()), Serdes.Long()));
        if (args.length > 2) {
            System.out.print(b.build().describe());
            return;
        }
        Properties p = new Properties();
        p.put("application.id", "takeover");
        p.put("bootstrap.servers", args[0]);
        p.put("state.dir", args[1]);
        p.put("processing.guarantee", "exactly_once_v2");
        p.put("num.stream.threads", "2");
        p.put("default.key.serde", Serdes.String().getClass());
        p.put("default.value.serde", Serdes.String().getClass());
        p.put("auto.offset.reset", "earliest");
        p.put("session.timeout.ms", "6000");
        KafkaStreams streams = new KafkaStreams(b.build(), p);
        CountDownLatch done = new CountDownLatch(1);
        streams.setStateListener((now, before) -> System.out.println("STATE " + now));
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            streams.close(new KafkaStreams.CloseOptions().timeout(Duration.ofSeconds(30)).leaveGroup(true));
            done.countDown();
        }));
        streams.start();
        done.await();
    }
}
