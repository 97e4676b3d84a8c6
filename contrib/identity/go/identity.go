// Package agentidentity reads what a certificate says of its AI agent: the AgentIdentity extension
// and the SPIFFE ID. Check the chain, the dates and the revocation list first: this reads and
// verifies nothing. Standard library alone.
package agentidentity

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"
	"encoding/hex"
	"errors"
	"regexp"
	"time"
	"unicode/utf8"
)

// DefaultArc is that of agent-arc in agentca.conf.
var DefaultArc = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 32473, 1}

const maxSize = 32 << 10

// Identity marshals to the JSON of `agentca cert show --json`.
type Identity struct {
	Agent       string      `json:"agent"`
	Tenant      string      `json:"tenant"`
	Sponsor     string      `json:"sponsor,omitempty"`
	Deployment  string      `json:"deployment,omitempty"`
	Class       Class       `json:"class"`
	Scopes      []string    `json:"scopes,omitempty"`
	Components  []Component `json:"components,omitempty"`
	Parent      string      `json:"parent,omitempty"` // SPIFFE ID of the agent that delegates
	MaxDepth    *uint32     `json:"max_depth,omitempty"`
	Attestation Attestation `json:"attestation"`
}

// Class: "low", "medium" or "high"; Lifespan "ephemeral", "session" or "persistent".
type Class struct {
	Access   string `json:"access"`
	Decision string `json:"decision"`
	Risk     string `json:"risk"`
	Lifespan string `json:"lifespan"`
}

// Component of the agent. Basis says how we know: "declared", "signed" or "attested".
type Component struct {
	Kind          string `json:"kind"` // "model", "image", "config", "prompt" or "tools"
	HashAlgorithm string `json:"hash_algorithm"`
	Digest        string `json:"digest"` // hexadecimal
	Basis         string `json:"basis"`
}

// Attestation is the evidence that the agent gave for this certificate.
type Attestation struct {
	Format       string    `json:"format"`
	Level        int       `json:"level"` // 1 bearer, 2 fresh, 3 bound to the key, 4 from hardware
	VerifiedAt   time.Time `json:"verified_at"`
	KeyBound     bool      `json:"key_bound"`
	EvidenceHash string    `json:"evidence_hash"` // SHA-256, hexadecimal
}

// The shapes of the DER. encoding/asn1 is generous when it reads, so what was read is written again
// and must give the same octets.
type derIdentity struct {
	Version     int
	Agent       string          `asn1:"utf8"`
	Tenant      string          `asn1:"utf8"`
	Sponsor     string          `asn1:"utf8,optional,tag:0"`
	Deployment  string          `asn1:"utf8,optional,tag:1"`
	Class       derClass        `asn1:"tag:2"`
	Scopes      []asn1.RawValue `asn1:"optional,omitempty,tag:3"`
	Components  []derComponent  `asn1:"optional,omitempty,tag:4"`
	Parent      []byte          `asn1:"optional,omitempty,tag:5"`
	MaxDepth    int64           `asn1:"optional,default:-1,tag:6"`
	Attestation derAttestation  `asn1:"tag:7"`
}

type derClass struct {
	Access, Decision, Risk, Lifespan asn1.Enumerated
}

type derComponent struct {
	Kind   asn1.Enumerated
	Hash   asn1.ObjectIdentifier
	Digest []byte
	Basis  asn1.Enumerated
}

type derAttestation struct {
	Format     string `asn1:"utf8"`
	Level      int
	VerifiedAt time.Time `asn1:"generalized"`
	KeyBound   bool
	Evidence   []byte
}

var (
	degrees   = []string{"low", "medium", "high"}
	lifespans = []string{"ephemeral", "session", "persistent"}
	kinds     = []string{"model", "image", "config", "prompt", "tools"}
	bases     = []string{"declared", "signed", "attested"}
	hashes    = map[string]struct {
		name string
		size int
	}{
		"2.16.840.1.101.3.4.2.1": {"sha256", 32},
		"2.16.840.1.101.3.4.2.2": {"sha384", 48},
		"2.16.840.1.101.3.4.2.3": {"sha512", 64},
	}
	label      = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)
	errUnsound = errors.New("agentidentity: not a sound AgentIdentity")
)

// SPIFFEID returns the one SPIFFE ID, or "" when the certificate has none.
func SPIFFEID(certificate *x509.Certificate) (string, error) {
	for _, uri := range certificate.URIs {
		if uri.Scheme == "spiffe" {
			if len(certificate.URIs) != 1 { // X509-SVID, section 2
				return "", errors.New("agentidentity: a SPIFFE ID and another URI")
			}
			return uri.String(), nil
		}
	}
	return "", nil
}

// FromCertificate returns nil without error when the certificate has no such extension.
func FromCertificate(certificate *x509.Certificate, arc asn1.ObjectIdentifier) (*Identity, error) {
	oid := append(append(asn1.ObjectIdentifier{}, arc...), 1)
	var found *Identity
	for _, extension := range certificate.Extensions {
		if !extension.Id.Equal(oid) {
			continue
		}
		if found != nil || extension.Critical {
			return nil, errUnsound
		}
		var err error
		if found, err = Parse(extension.Value); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// Parse reads the content of extnValue.
func Parse(value []byte) (*Identity, error) {
	var der derIdentity
	if len(value) > maxSize {
		return nil, errUnsound
	}
	if rest, err := asn1.Unmarshal(value, &der); err != nil || len(rest) != 0 || der.Version != 1 {
		return nil, errUnsound
	}
	if again, err := asn1.Marshal(der); err != nil || !bytes.Equal(again, value) {
		return nil, errUnsound
	}
	return identityOf(&der)
}

func identityOf(der *derIdentity) (*Identity, error) {
	sound := der.Attestation.Format != "" &&
		utf8.Valid(der.Parent) && der.MaxDepth >= -1 && der.MaxDepth <= 1<<32-1 &&
		der.Attestation.Level >= 1 && der.Attestation.Level <= 4 && len(der.Attestation.Evidence) == 32
	word := func(words []string, value asn1.Enumerated) string {
		if value < 0 || int(value) >= len(words) {
			sound = false
			return ""
		}
		return words[value]
	}
	out := &Identity{
		Agent: der.Agent, Tenant: der.Tenant, Sponsor: der.Sponsor, Deployment: der.Deployment,
		Class: Class{word(degrees, der.Class.Access), word(degrees, der.Class.Decision),
			word(degrees, der.Class.Risk), word(lifespans, der.Class.Lifespan)},
		Parent: string(der.Parent),
		Attestation: Attestation{der.Attestation.Format, der.Attestation.Level,
			der.Attestation.VerifiedAt.UTC(), der.Attestation.KeyBound,
			hex.EncodeToString(der.Attestation.Evidence)},
	}
	if der.MaxDepth >= 0 {
		depth := uint32(der.MaxDepth)
		out.MaxDepth = &depth
	}
	for _, scope := range der.Scopes {
		sound = sound && scope.Class == asn1.ClassUniversal && scope.Tag == asn1.TagUTF8String &&
			!scope.IsCompound && len(scope.Bytes) > 0 && utf8.Valid(scope.Bytes)
		out.Scopes = append(out.Scopes, string(scope.Bytes))
	}
	for _, component := range der.Components {
		hash := hashes[component.Hash.String()]
		sound = sound && hash.size != 0 && len(component.Digest) == hash.size
		out.Components = append(out.Components, Component{word(kinds, component.Kind), hash.name,
			hex.EncodeToString(component.Digest), word(bases, component.Basis)})
	}
	if !sound || !label.MatchString(out.Agent) || !label.MatchString(out.Tenant) {
		return nil, errUnsound
	}
	return out, nil
}
