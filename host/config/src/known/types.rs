//! The table of Flume's types. It is longer than other files because it is a table.

use crate::catalog::ComponentKind::{
    self, Channel, ExtractorSerializer, Interceptor, PathManager, Selector, Serializer, Sink, SinkProcessor,
    Source,
};

/// A component type of Flume.
#[derive(Clone, Copy, Debug)]
pub struct KnownType {
    /// What it is.
    pub kind: ComponentKind,
    /// The short name, if it has one.
    pub alias: Option<&'static str>,
    /// The Java class.
    pub class: &'static str,
    /// How many events one transaction of it takes, as far as Flume checks that.
    pub batch: Option<BatchLimit>,
}

/// The key that sets a batch size or transaction capacity, and its default.
#[derive(Clone, Copy, Debug)]
pub struct BatchLimit {
    /// The key.
    pub key: &'static str,
    /// The value if the key is not set.
    pub default: u64,
}

impl KnownType {
    /// Whether this type goes by that name: the alias in any case, or the very class.
    pub fn is_named(&self, text: &str) -> bool {
        self.class == text || self.alias.is_some_and(|alias| alias.eq_ignore_ascii_case(text))
    }
}

const fn known(kind: ComponentKind, alias: &'static str, class: &'static str) -> KnownType {
    KnownType { kind, alias: Some(alias), class, batch: None }
}

const fn class(kind: ComponentKind, class: &'static str) -> KnownType {
    KnownType { kind, alias: None, class, batch: None }
}

impl KnownType {
    const fn batch(mut self, key: &'static str, default: u64) -> Self {
        self.batch = Some(BatchLimit { key, default });
        self
    }
}

/// Every type of Flume 1.9 to 1.11.
pub(super) const ALL: &[KnownType] = &[
    known(Source, "avro", "org.apache.flume.source.AvroSource"),
    known(Source, "thrift", "org.apache.flume.source.ThriftSource"),
    known(Source, "exec", "org.apache.flume.source.ExecSource").batch("batchSize", 20),
    known(Source, "seq", "org.apache.flume.source.SequenceGeneratorSource").batch("batchSize", 1),
    known(Source, "netcat", "org.apache.flume.source.NetcatSource"),
    known(Source, "netcatudp", "org.apache.flume.source.NetcatUdpSource"),
    known(Source, "syslogtcp", "org.apache.flume.source.SyslogTcpSource"),
    known(Source, "syslogudp", "org.apache.flume.source.SyslogUDPSource"),
    known(Source, "multiport_syslogtcp", "org.apache.flume.source.MultiportSyslogTCPSource")
        .batch("batchSize", 100),
    known(Source, "spooldir", "org.apache.flume.source.SpoolDirectorySource").batch("batchSize", 100),
    known(Source, "taildir", "org.apache.flume.source.taildir.TaildirSource").batch("batchSize", 100),
    known(Source, "http", "org.apache.flume.source.http.HTTPSource"),
    known(Source, "jms", "org.apache.flume.source.jms.JMSSource").batch("batchSize", 100),
    class(Source, "org.apache.flume.source.StressSource").batch("batchSize", 1),
    class(Source, "org.apache.flume.source.kafka.KafkaSource").batch("batchSize", 1000),
    class(Source, "org.apache.flume.source.twitter.TwitterSource").batch("maxBatchSize", 1000),
    class(Source, "org.apache.flume.source.scribe.ScribeSource"),
    class(Source, "org.apache.flume.source.avroLegacy.AvroLegacySource"),
    class(Source, "org.apache.flume.source.thriftLegacy.ThriftLegacySource"),
    known(Channel, "memory", "org.apache.flume.channel.MemoryChannel").batch("transactionCapacity", 100),
    known(Channel, "file", "org.apache.flume.channel.file.FileChannel").batch("transactionCapacity", 10000),
    known(Channel, "jdbc", "org.apache.flume.channel.jdbc.JdbcChannel"),
    known(Channel, "spillablememory", "org.apache.flume.channel.SpillableMemoryChannel")
        .batch("transactionCapacity", 10000),
    class(Channel, "org.apache.flume.channel.kafka.KafkaChannel"),
    class(Channel, "org.apache.flume.channel.PseudoTxnMemoryChannel"),
    known(Sink, "null", "org.apache.flume.sink.NullSink").batch("batchSize", 100),
    known(Sink, "logger", "org.apache.flume.sink.LoggerSink"),
    known(Sink, "file_roll", "org.apache.flume.sink.RollingFileSink").batch("sink.batchSize", 100),
    known(Sink, "avro", "org.apache.flume.sink.AvroSink").batch("batch-size", 100),
    known(Sink, "thrift", "org.apache.flume.sink.ThriftSink").batch("batch-size", 100),
    known(Sink, "hdfs", "org.apache.flume.sink.hdfs.HDFSEventSink").batch("hdfs.batchSize", 100),
    known(Sink, "irc", "org.apache.flume.sink.irc.IRCSink"),
    known(Sink, "http", "org.apache.flume.sink.http.HttpSink"),
    known(Sink, "hive", "org.apache.flume.sink.hive.HiveSink").batch("batchSize", 15000),
    known(Sink, "hbase", "org.apache.flume.sink.hbase.HBaseSink").batch("batchSize", 100),
    known(Sink, "asynchbase", "org.apache.flume.sink.hbase.AsyncHBaseSink").batch("batchSize", 100),
    known(Sink, "hbase2", "org.apache.flume.sink.hbase2.HBase2Sink").batch("batchSize", 100),
    known(Sink, "elasticsearch", "org.apache.flume.sink.elasticsearch.ElasticSearchSink")
        .batch("batchSize", 100),
    known(Sink, "morphline_solr", "org.apache.flume.sink.solr.morphline.MorphlineSolrSink")
        .batch("batchSize", 1000),
    class(Sink, "org.apache.flume.sink.solr.morphline.MorphlineSink").batch("batchSize", 1000),
    class(Sink, "org.apache.flume.sink.kafka.KafkaSink").batch("flumeBatchSize", 100),
    class(Sink, "org.apache.flume.sink.kite.DatasetSink").batch("kite.batchSize", 100),
    class(Sink, "org.apache.flume.sink.kudu.KuduSink").batch("batchSize", 1000),
    known(Selector, "replicating", "org.apache.flume.channel.ReplicatingChannelSelector"),
    known(Selector, "multiplexing", "org.apache.flume.channel.MultiplexingChannelSelector"),
    known(Selector, "load_balancing", "org.apache.flume.channel.LoadBalancingChannelSelector"),
    known(SinkProcessor, "default", "org.apache.flume.sink.DefaultSinkProcessor"),
    known(SinkProcessor, "failover", "org.apache.flume.sink.FailoverSinkProcessor"),
    known(SinkProcessor, "load_balance", "org.apache.flume.sink.LoadBalancingSinkProcessor"),
    known(Interceptor, "timestamp", "org.apache.flume.interceptor.TimestampInterceptor$Builder"),
    known(Interceptor, "host", "org.apache.flume.interceptor.HostInterceptor$Builder"),
    known(Interceptor, "static", "org.apache.flume.interceptor.StaticInterceptor$Builder"),
    known(Interceptor, "regex_filter", "org.apache.flume.interceptor.RegexFilteringInterceptor$Builder"),
    known(Interceptor, "regex_extractor", "org.apache.flume.interceptor.RegexExtractorInterceptor$Builder"),
    known(Interceptor, "remove_header", "org.apache.flume.interceptor.RemoveHeaderInterceptor$Builder"),
    known(Interceptor, "search_replace", "org.apache.flume.interceptor.SearchAndReplaceInterceptor$Builder"),
    class(Interceptor, "org.apache.flume.sink.solr.morphline.MorphlineInterceptor$Builder"),
    class(Interceptor, "org.apache.flume.sink.solr.morphline.UUIDInterceptor$Builder"),
    known(Serializer, "text", "org.apache.flume.serialization.BodyTextEventSerializer$Builder"),
    known(
        Serializer,
        "header_and_text",
        "org.apache.flume.serialization.HeaderAndBodyTextEventSerializer$Builder",
    ),
    known(Serializer, "avro_event", "org.apache.flume.serialization.FlumeEventAvroEventSerializer$Builder"),
    class(Serializer, "org.apache.flume.sink.hdfs.AvroEventSerializer$Builder"),
    known(PathManager, "default", "org.apache.flume.formatter.output.DefaultPathManager$Builder"),
    known(PathManager, "rolltime", "org.apache.flume.formatter.output.RollTimePathManager$Builder"),
    known(
        ExtractorSerializer,
        "default",
        "org.apache.flume.interceptor.RegexExtractorInterceptorPassThroughSerializer",
    ),
    class(ExtractorSerializer, "org.apache.flume.interceptor.RegexExtractorInterceptorMillisSerializer"),
];
