// Paho's Go clients for mqtt_matrix.py (README.md): paho.mqtt.golang for 3.1.1, paho.golang (autopaho) for 5.
package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/eclipse/paho.golang/autopaho"
	"github.com/eclipse/paho.golang/paho"
	three "github.com/eclipse/paho.mqtt.golang"
)

const wait = 30 * time.Second

var output sync.Mutex

func say(words ...any) {
	output.Lock()
	defer output.Unlock()
	fmt.Println(words...)
}

func encode(word string) []byte {
	if !strings.HasPrefix(word, "*") {
		return []byte(word)
	}
	size, _ := strconv.Atoi(word[1:])
	payload := make([]byte, size)
	for i := range payload {
		payload[i] = byte(i % 251)
	}
	return payload
}

func decode(payload []byte) string {
	word := "*" + strconv.Itoa(len(payload))
	if len(payload) < 100 {
		return string(payload)
	}
	if !bytes.Equal(payload, encode(word)) {
		return "damaged"
	}
	return word
}

func heard(topic string, qos byte, retain bool, payload []byte) {
	flag := 0
	if retain {
		flag = 1
	}
	say("message", topic, qos, flag, decode(payload))
}

func trust() *tls.Config {
	pool := x509.NewCertPool()
	if pem, err := os.ReadFile(os.Getenv("CAFILE")); err == nil {
		pool.AppendCertsFromPEM(pem)
	}
	return &tls.Config{RootCAs: pool}
}

type client interface {
	subscribe(filter string, qos byte) error
	publish(topic string, qos byte, retain bool, payload []byte) error
	disconnect() error
}

type clientThree struct{ client three.Client }

func within(token three.Token) error {
	if !token.WaitTimeout(wait) {
		return errors.New("not in time")
	}
	return token.Error()
}

func connectThree(at, id string, clean bool, will []string) (client, error) {
	options := three.NewClientOptions().AddBroker(at).SetClientID(id).SetCleanSession(clean).SetProtocolVersion(4)
	options.SetTLSConfig(trust()).SetAutoReconnect(false).SetOrderMatters(true)
	options.SetDefaultPublishHandler(func(_ three.Client, m three.Message) {
		heard(m.Topic(), m.Qos(), m.Retained(), m.Payload())
	})
	if len(will) == 2 {
		options.SetBinaryWill(will[0], encode(will[1]), 1, false)
	}
	made := three.NewClient(options)
	return clientThree{made}, within(made.Connect())
}

func (c clientThree) subscribe(filter string, qos byte) error {
	return within(c.client.Subscribe(filter, qos, nil))
}

func (c clientThree) publish(topic string, qos byte, retain bool, payload []byte) error {
	return within(c.client.Publish(topic, qos, retain, payload))
}

func (c clientThree) disconnect() error {
	c.client.Disconnect(250)
	return nil
}

type clientFive struct{ manager *autopaho.ConnectionManager }

func connectFive(at, id string, clean bool, will []string) (client, error) {
	where, err := url.Parse(at)
	if err != nil {
		return nil, err
	}
	config := autopaho.ClientConfig{
		ServerUrls: []*url.URL{where}, TlsCfg: trust(), KeepAlive: 30, CleanStartOnInitialConnection: clean,
		ClientConfig: paho.ClientConfig{ClientID: id, OnPublishReceived: []func(paho.PublishReceived) (bool, error){
			func(r paho.PublishReceived) (bool, error) {
				heard(r.Packet.Topic, r.Packet.QoS, r.Packet.Retain, r.Packet.Payload)
				return true, nil
			}}},
	}
	if !clean {
		config.SessionExpiryInterval = 3600
	}
	if len(will) == 2 {
		config.WillMessage = &paho.WillMessage{Topic: will[0], Payload: encode(will[1]), QoS: 1}
	}
	manager, err := autopaho.NewConnection(context.Background(), config)
	if err != nil {
		return nil, err
	}
	limit, cancel := context.WithTimeout(context.Background(), wait)
	defer cancel()
	return clientFive{manager}, manager.AwaitConnection(limit)
}

func (c clientFive) subscribe(filter string, qos byte) error {
	_, err := c.manager.Subscribe(context.Background(),
		&paho.Subscribe{Subscriptions: []paho.SubscribeOptions{{Topic: filter, QoS: qos}}})
	return err
}

func (c clientFive) publish(topic string, qos byte, retain bool, payload []byte) error {
	_, err := c.manager.Publish(context.Background(), &paho.Publish{Topic: topic, QoS: qos, Retain: retain, Payload: payload})
	return err
}

func (c clientFive) disconnect() error { return c.manager.Disconnect(context.Background()) }

func main() {
	var it client
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		words := strings.Fields(lines.Text())
		var err error
		said := words[0] + "ed"
		switch words[0] {
		case "connect":
			if words[2] == "5" {
				it, err = connectFive(words[1], words[3], words[4] == "1", words[5:])
			} else {
				it, err = connectThree(words[1], words[3], words[4] == "1", words[5:])
			}
		case "subscribe":
			said = "subscribed"
			err = it.subscribe(words[1], words[2][0]-'0')
		case "publish":
			err = it.publish(words[1], words[2][0]-'0', words[3] == "1", encode(words[4]))
		case "disconnect":
			err = it.disconnect()
		}
		if err != nil {
			say("error", err)
		} else {
			say(said)
		}
	}
}
