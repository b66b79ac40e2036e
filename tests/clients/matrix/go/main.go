// Go clients for kafka_matrix.py: franz|sarama produce BOOTSTRAP TOPIC CODEC FROM COUNT | consume BOOTSTRAP TOPIC GROUP.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
)

func printAssigned(partitions []int32) {
	var texts []string
	for _, p := range partitions {
		texts = append(texts, strconv.Itoa(int(p)))
	}
	fmt.Println("assigned", strings.Join(texts, ","))
}

func main() {
	library, verb, args := os.Args[1], os.Args[2], os.Args[3:]
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	var err error
	if verb == "produce" {
		first, _ := strconv.Atoi(args[3])
		count, _ := strconv.Atoi(args[4])
		produce := map[string]func(string, string, string, int, int) error{"franz": franzProduce, "sarama": saramaProduce}[library]
		err = produce(args[0], args[1], args[2], first, count)
	} else {
		consume := map[string]func(context.Context, string, string, string) error{"franz": franzConsume, "sarama": saramaConsume}[library]
		err = consume(ctx, args[0], args[1], args[2])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
