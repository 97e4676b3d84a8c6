package agentidentity

import (
	"crypto/x509"
	"encoding/asn1"
	"encoding/json"
	"encoding/pem"
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

// Certificates made with the openssl command, sound and not: tests/testdata/make_identities.sh.
const testdata = "../../../tests/testdata/identity"

func load(t *testing.T, name string) *x509.Certificate {
	t.Helper()
	certificate, err := read(filepath.Join(testdata, name+".pem"))
	if err != nil {
		t.Fatal(err)
	}
	return certificate
}

func read(file string) (*x509.Certificate, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(text)
	return x509.ParseCertificate(block.Bytes)
}

func TestReadsWhatOpensslWrote(t *testing.T) {
	for _, name := range []string{"agent", "minimal"} {
		identity, err := FromCertificate(load(t, name), DefaultArc)
		if err != nil || identity == nil {
			t.Fatal(name, err)
		}
		text, err := os.ReadFile(filepath.Join(testdata, name+".json"))
		if err != nil {
			t.Fatal(err)
		}
		var got, want interface{}
		written, _ := json.Marshal(identity)
		if json.Unmarshal(written, &got) != nil || json.Unmarshal(text, &want) != nil ||
			!reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %s", name, written)
		}
		if id, err := SPIFFEID(load(t, name)); err != nil || id != "spiffe://example.test/t/acme/a/planner" {
			t.Errorf("%s: %q %v", name, id, err)
		}
	}
}

func TestOthersHaveNone(t *testing.T) {
	if identity, err := FromCertificate(load(t, "server"), DefaultArc); identity != nil || err != nil {
		t.Error(identity, err)
	}
	if id, err := SPIFFEID(load(t, "server")); id != "" || err != nil {
		t.Error(id, err)
	}
	other := asn1.ObjectIdentifier{1, 2, 3}
	if identity, err := FromCertificate(load(t, "agent"), other); identity != nil || err != nil {
		t.Error(identity, err)
	}
}

func TestRefuses(t *testing.T) {
	bad, _ := filepath.Glob(filepath.Join(testdata, "bad_*.pem"))
	if len(bad) < 20 {
		t.Fatal("bad certificates are missing")
	}
	for _, file := range bad {
		certificate, err := read(file)
		if err != nil { // crypto/x509 refuses an extension that is there twice
			continue
		}
		if identity, err := FromCertificate(certificate, DefaultArc); err == nil {
			t.Errorf("%s: %+v", file, identity)
		}
	}
	if _, err := SPIFFEID(load(t, "two_uris")); err == nil {
		t.Error("a second URI is accepted")
	}
}

func TestRefusesEveryTruncationAndALongerValue(t *testing.T) {
	certificate := load(t, "agent")
	for _, extension := range certificate.Extensions {
		if !extension.Id.Equal(append(append(asn1.ObjectIdentifier{}, DefaultArc...), 1)) {
			continue
		}
		for length := range extension.Value {
			if _, err := Parse(extension.Value[:length]); err == nil {
				t.Errorf("%d octets are accepted", length)
			}
		}
		if _, err := Parse(append(extension.Value, 0)); err == nil {
			t.Error("a trailing octet is accepted")
		}
		return
	}
	t.Error("no extension")
}
