"""Run by kafka_spark.py with pyspark: everything in topic "in" goes upper-cased into topic "out", as one available-now stream.

_spark_job.py BOOTSTRAP CHECKPOINT JARS
"""
import sys

from pyspark.sql import SparkSession
from pyspark.sql.functions import upper

bootstrap, checkpoint, jars = sys.argv[1:]
spark = (SparkSession.builder.master("local[2]").config("spark.jars", jars).config("spark.ui.enabled", "false")
         .config("spark.sql.shuffle.partitions", "2").getOrCreate())
spark.sparkContext.setLogLevel("ERROR")
lines = (spark.readStream.format("kafka").option("kafka.bootstrap.servers", bootstrap).option("subscribe", "in")
         .option("startingOffsets", "earliest").option("includeHeaders", "true").load())
query = (lines.select(lines.key, upper(lines.value.cast("string")).alias("value")).writeStream.format("kafka")
         .option("kafka.bootstrap.servers", bootstrap).option("topic", "out").option("checkpointLocation", checkpoint)
         .trigger(availableNow=True).start())
query.awaitTermination()
print("spark", spark.version, "rows", sum(progress["numInputRows"] for progress in query.recentProgress))
spark.stop()
