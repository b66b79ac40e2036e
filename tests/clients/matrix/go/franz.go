package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/twmb/franz-go/pkg/kgo"
)

func franzProduce(bootstrap, topic, codec string, first, count int) error {
	codecs := map[string]kgo.CompressionCodec{"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(),
		"snappy": kgo.SnappyCompression(), "lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression()}
	client, err := kgo.NewClient(kgo.SeedBrokers(bootstrap), kgo.ProducerBatchCompression(codecs[codec]))
	if err != nil {
		return err
	}
	defer client.Close()
	var records []*kgo.Record
	for i := first; i < first+count; i++ {
		records = append(records, &kgo.Record{Topic: topic, Key: []byte("k" + strconv.Itoa(i%20)), Value: []byte("v" + strconv.Itoa(i)),
			Headers: []kgo.RecordHeader{{Key: "codec", Value: []byte(codec)}}})
	}
	return client.ProduceSync(context.Background(), records...).FirstErr()
}

func franzConsume(ctx context.Context, bootstrap, topic, group string) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(bootstrap), kgo.ConsumerGroup(group), kgo.ConsumeTopics(topic),
		kgo.DisableAutoCommit(), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.Balancers(kgo.RangeBalancer()),
		kgo.OnPartitionsAssigned(func(_ context.Context, _ *kgo.Client, assigned map[string][]int32) { printAssigned(assigned[topic]) }))
	if err != nil {
		return err
	}
	defer client.Close()
	for ctx.Err() == nil {
		fetches := client.PollFetches(ctx)
		for _, problem := range fetches.Errors() {
			if !errors.Is(problem.Err, context.Canceled) {
				fmt.Println("problem", problem.Err)
			}
		}
		fetches.EachRecord(func(r *kgo.Record) {
			fmt.Println("record", r.Partition, r.Offset, string(r.Key), string(r.Value), string(r.Headers[0].Value))
		})
		if err := client.CommitUncommittedOffsets(ctx); err != nil && ctx.Err() == nil {
			fmt.Println("commit", err)
		}
	}
	return nil
}
