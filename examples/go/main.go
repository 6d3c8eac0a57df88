// Makes trust for a repository and delegates it to a team:
//
//	go run . dtr.example.org/dev/nginx qa
//
// IMAGETRUST_ADDRESS, IMAGETRUST_CA, IMAGETRUST_CERT and IMAGETRUST_KEY say where the service is and who calls.
// README.md says how the imported packages are generated.
package main

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"os"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/status"

	imagetrust "example.org/delegate/gen/imagetrust/v1"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: delegate GUN TEAM")
		os.Exit(2)
	}
	live, err := run(os.Args[1], os.Args[2])
	if err != nil {
		explain(err)
		os.Exit(1)
	}
	if !live {
		os.Exit(3)
	}
}

func run(gun, team string) (bool, error) {
	tlsConfig, err := clientTLS()
	if err != nil {
		return false, err
	}
	address := os.Getenv("IMAGETRUST_ADDRESS")
	if address == "" {
		address = "localhost:8443"
	}
	connection, err := grpc.NewClient(address, grpc.WithTransportCredentials(credentials.NewTLS(tlsConfig)))
	if err != nil {
		return false, err
	}
	defer connection.Close()

	initialized, err := change(func(ctx context.Context, options *imagetrust.ChangeOptions) (*imagetrust.Outcome, error) {
		request := &imagetrust.InitializeTrustRequest{Gun: gun, Options: options}
		response, err := imagetrust.NewTrustServiceClient(connection).InitializeTrust(ctx, request)
		return response.GetOutcome(), err
	})
	if err != nil {
		return false, err
	}
	initializedLive := report("InitializeTrust", initialized)
	delegated, err := change(func(ctx context.Context, options *imagetrust.ChangeOptions) (*imagetrust.Outcome, error) {
		request := &imagetrust.DelegateRequest{Gun: gun, Team: team, Options: options}
		response, err := imagetrust.NewDelegationServiceClient(connection).Delegate(ctx, request)
		return response.GetOutcome(), err
	})
	if err != nil {
		return false, err
	}
	return report("Delegate", delegated) && initializedLive, nil
}

// change makes one change under one request_id. Unavailable means that repeating is safe: a change that was kept is not made
// again, and the repeat is answered with its state as of now.
func change(call func(context.Context, *imagetrust.ChangeOptions) (*imagetrust.Outcome, error)) (*imagetrust.Outcome, error) {
	id := make([]byte, 16)
	if _, err := rand.Read(id); err != nil {
		return nil, err
	}
	options := &imagetrust.ChangeOptions{RequestId: hex.EncodeToString(id), Reason: "example"}
	for attempt := 1; ; attempt++ {
		ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
		outcome, err := call(ctx, options)
		cancel()
		if status.Code(err) != codes.Unavailable || attempt == 5 {
			return outcome, err
		}
		time.Sleep(200 * time.Millisecond << attempt)
	}
}

// report says what became of a change and whether it is live. An outcome that is not live is accepted and durable all the same.
func report(what string, outcome *imagetrust.Outcome) bool {
	fmt.Printf("%s: %s\n", what, outcome.GetState())
	for _, publication := range outcome.GetPublications() {
		fmt.Printf("  %s: %s", publication.GetGun(), publication.GetState())
		if publication.GetBlockReason() != imagetrust.BlockReason_BLOCK_REASON_UNSPECIFIED {
			fmt.Printf(" %s", publication.GetBlockReason())
		}
		for _, role := range publication.GetRoles() {
			fmt.Printf(" %s %d", role.GetRole(), role.GetVersion())
		}
		fmt.Printf(" %s\n", publication.GetDetail())
	}
	state := outcome.GetState()
	return state == imagetrust.PublicationState_PUBLICATION_STATE_PUBLISHED ||
		state == imagetrust.PublicationState_PUBLICATION_STATE_UNCHANGED
}

// explain prints the reason and every field fault of a refusal; programs decide by the reason, not by the message.
func explain(err error) {
	refusal := status.Convert(err)
	fmt.Fprintf(os.Stderr, "%s: %s\n", refusal.Code(), refusal.Message())
	for _, detail := range refusal.Details() {
		switch detail := detail.(type) {
		case *errdetails.ErrorInfo:
			fmt.Fprintf(os.Stderr, "  reason: %s\n", detail.GetReason())
		case *errdetails.BadRequest:
			for _, fault := range detail.GetFieldViolations() {
				fmt.Fprintf(os.Stderr, "  %s: %s\n", fault.GetField(), fault.GetDescription())
			}
		}
	}
}

func clientTLS() (*tls.Config, error) {
	authority, err := os.ReadFile(os.Getenv("IMAGETRUST_CA"))
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(authority) {
		return nil, fmt.Errorf("IMAGETRUST_CA names a file without certificates")
	}
	identity, err := tls.LoadX509KeyPair(os.Getenv("IMAGETRUST_CERT"), os.Getenv("IMAGETRUST_KEY"))
	if err != nil {
		return nil, err
	}
	return &tls.Config{RootCAs: pool, Certificates: []tls.Certificate{identity}, MinVersion: tls.VersionTLS12}, nil
}
