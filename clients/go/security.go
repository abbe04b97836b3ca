package ensemblemesh

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
)

// Security names PEM files: CA of the supervisors, and Cert and Key if they ask for a certificate. They are read for each
// connection. ServerName is the name in the supervisors' certificate, if it is not their address. Token is a bearer token.
type Security struct {
	CA, Cert, Key string
	ServerName    string
	Token         string
}

type bearer string

func (b bearer) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"authorization": "Bearer " + string(b)}, nil
}

func (bearer) RequireTransportSecurity() bool { return true }

// dial opens a connection to one supervisor; it connects at its first use.
func dial(address string, security *Security) (*grpc.ClientConn, error) {
	options := []grpc.DialOption{
		grpc.WithNoProxy(),
		grpc.WithDisableRetry(),
		grpc.WithDisableServiceConfig(),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 10 * time.Second, Timeout: time.Second, PermitWithoutStream: true}),
	}
	transport := insecure.NewCredentials()
	if security != nil {
		config, err := security.config()
		if err != nil {
			return nil, err
		}
		transport = credentials.NewTLS(config)
		if security.Token != "" {
			options = append(options, grpc.WithPerRPCCredentials(bearer(security.Token)))
		}
	}
	return grpc.NewClient("passthrough:///"+address, append(options, grpc.WithTransportCredentials(transport))...)
}

func (s *Security) config() (*tls.Config, error) {
	pem, err := os.ReadFile(s.CA)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s: has no certificate in PEM", s.CA)
	}
	config := &tls.Config{RootCAs: roots, ServerName: s.ServerName, MinVersion: tls.VersionTLS12}
	if s.Cert != "" {
		pair, err := tls.LoadX509KeyPair(s.Cert, s.Key)
		if err != nil {
			return nil, err
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}
