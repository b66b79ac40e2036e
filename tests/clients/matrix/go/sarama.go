package main

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/IBM/sarama"
)

func saramaConfig() *sarama.Config {
	config := sarama.NewConfig()
	config.Version = sarama.V2_8_0_0
	config.Producer.Return.Successes = true
	config.Producer.RequiredAcks = sarama.WaitForAll
	config.Consumer.Offsets.Initial = sarama.OffsetOldest
	config.Consumer.Offsets.AutoCommit.Interval = 100 * time.Millisecond
	config.Metadata.Retry.Max = 60
	return config
}

func saramaProduce(bootstrap, topic, codec string, first, count int) error {
	config := saramaConfig()
	config.Producer.Compression = map[string]sarama.CompressionCodec{"none": sarama.CompressionNone, "gzip": sarama.CompressionGZIP,
		"snappy": sarama.CompressionSnappy, "lz4": sarama.CompressionLZ4, "zstd": sarama.CompressionZSTD}[codec]
	producer, err := sarama.NewSyncProducer([]string{bootstrap}, config)
	if err != nil {
		return err
	}
	defer producer.Close()
	var messages []*sarama.ProducerMessage
	for i := first; i < first+count; i++ {
		messages = append(messages, &sarama.ProducerMessage{Topic: topic, Key: sarama.StringEncoder("k" + strconv.Itoa(i%20)),
			Value: sarama.StringEncoder("v" + strconv.Itoa(i)), Headers: []sarama.RecordHeader{{Key: []byte("codec"), Value: []byte(codec)}}})
	}
	return producer.SendMessages(messages)
}

type saramaHandler struct{ topic string }

func (h saramaHandler) Setup(session sarama.ConsumerGroupSession) error {
	printAssigned(session.Claims()[h.topic])
	return nil
}
func (saramaHandler) Cleanup(sarama.ConsumerGroupSession) error { return nil }
func (saramaHandler) ConsumeClaim(session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	for {
		select {
		case m, ok := <-claim.Messages():
			if !ok {
				return nil
			}
			fmt.Println("record", m.Partition, m.Offset, string(m.Key), string(m.Value), string(m.Headers[0].Value))
			session.MarkMessage(m, "")
		case <-session.Context().Done():
			return nil
		}
	}
}

func saramaConsume(ctx context.Context, bootstrap, topic, group string) error {
	client, err := sarama.NewConsumerGroup([]string{bootstrap}, group, saramaConfig())
	if err != nil {
		return err
	}
	defer client.Close()
	for ctx.Err() == nil {
		if err := client.Consume(ctx, []string{topic}, saramaHandler{topic}); err != nil && ctx.Err() == nil {
			fmt.Println("problem", err)
			time.Sleep(200 * time.Millisecond)
		}
	}
	return nil
}
