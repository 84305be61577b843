// pstest is Pub/Sub's own fake server, with one topic and a subscription whose messages are pushed on: the fake
// knows push subscriptions, but nobody in it pushes. It has the arguments of pubsub_relay.py:
//
//	pstest PORT PUSH_URL TOKEN
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"time"

	pb "cloud.google.com/go/pubsub/apiv1/pubsubpb"
	"cloud.google.com/go/pubsub/pstest"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/encoding/protojson"
)

const (
	topic        = "projects/p/topics/objects"
	subscription = "projects/p/subscriptions/churn"
	retryPause   = 100 * time.Millisecond
)

// push delivers a message as Pub/Sub does, in its wrapped form; an answer that is no success is an error.
func push(url, token string, message *pb.PubsubMessage) error {
	wrapped, err := protojson.Marshal(message)
	if err != nil {
		return err
	}
	body, err := json.Marshal(map[string]any{"message": json.RawMessage(wrapped), "subscription": subscription})
	if err != nil {
		return err
	}
	request, err := http.NewRequest(http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Authorization", "Bearer "+token)
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode/100 != 2 {
		return fmt.Errorf("%s: %s", url, answer.Status)
	}
	return nil
}

// deliver takes what waits in the subscription; what is not pushed comes again.
func deliver(ctx context.Context, fake *pstest.Server, url, token string) error {
	pulled, err := fake.GServer.Pull(ctx, &pb.PullRequest{Subscription: subscription, MaxMessages: 100})
	if err != nil {
		return err
	}
	for _, received := range pulled.ReceivedMessages {
		ids := []string{received.AckId}
		if err := push(url, token, received.Message); err != nil {
			log.Print(err)
			time.Sleep(retryPause)
			_, err = fake.GServer.ModifyAckDeadline(ctx, &pb.ModifyAckDeadlineRequest{
				Subscription: subscription, AckIds: ids, AckDeadlineSeconds: 0})
			if err != nil {
				return err
			}
			continue
		}
		if _, err := fake.GServer.Acknowledge(ctx, &pb.AcknowledgeRequest{Subscription: subscription, AckIds: ids}); err != nil {
			return err
		}
	}
	return nil
}

// serve opens PORT when the topic is there: the fake's own door is open before.
func serve(fake *pstest.Server, port string) error {
	listener, err := net.Listen("tcp", "127.0.0.1:"+port)
	if err != nil {
		return err
	}
	server := grpc.NewServer()
	pb.RegisterPublisherServer(server, &fake.GServer)
	pb.RegisterSubscriberServer(server, &fake.GServer)
	go func() { log.Fatal(server.Serve(listener)) }()
	return nil
}

func run(port, url, token string) error {
	ctx := context.Background()
	fake := pstest.NewServer()
	defer fake.Close()
	if _, err := fake.GServer.CreateTopic(ctx, &pb.Topic{Name: topic}); err != nil {
		return err
	}
	if _, err := fake.GServer.CreateSubscription(ctx, &pb.Subscription{
		Name: subscription, Topic: topic, AckDeadlineSeconds: 10}); err != nil {
		return err
	}
	if err := serve(fake, port); err != nil {
		return err
	}
	for {
		if err := deliver(ctx, fake, url, token); err != nil {
			return err
		}
	}
}

func main() {
	if len(os.Args) != 4 {
		log.Fatal("usage: pstest PORT PUSH_URL TOKEN")
	}
	log.Fatal(run(os.Args[1], os.Args[2], os.Args[3]))
}
