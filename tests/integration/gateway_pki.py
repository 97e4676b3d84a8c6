"""A CA of two levels, made with python-cryptography, whose certificates a gateway judges."""

from datetime import datetime, timedelta, timezone

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

PEM = serialization.Encoding.PEM


def name(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


class Pki:
    def __init__(self, directory):
        self.directory = directory
        self.now = datetime.now(timezone.utc).replace(microsecond=0, tzinfo=None)
        self.root_key, self.issuing_key = (ec.generate_private_key(ec.SECP256R1()) for _ in "ab")
        self.root = self.sign("Root", self.root_key, name("Root"), self.root_key, ca=True)
        self.issuing = self.sign("Issuing", self.issuing_key, name("Root"), self.root_key, ca=True)
        (directory / "anchors.pem").write_bytes(
            self.root.public_bytes(PEM) + self.issuing.public_bytes(PEM))
        self.write_crls([])

    def sign(self, subject, key, issuer, issuer_key, *, ca=False, names=(), extra=()):
        builder = (x509.CertificateBuilder().subject_name(name(subject)).issuer_name(issuer)
                   .public_key(key.public_key()).serial_number(x509.random_serial_number())
                   .not_valid_before(self.now - timedelta(hours=1))
                   .not_valid_after(self.now + timedelta(days=1))
                   .add_extension(x509.BasicConstraints(ca, None), True)
                   .add_extension(x509.KeyUsage(not ca, False, False, False, False, ca, ca, False,
                                                False), True))
        if not ca:
            builder = builder.add_extension(x509.ExtendedKeyUsage(
                [ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH]), False)
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(list(names)), False)
        for extension in extra:
            builder = builder.add_extension(extension, False)
        return builder.sign(issuer_key, hashes.SHA256())

    def issue(self, file, *names, extra=()):
        """FILE-chain.pem and FILE.key; the certificate."""
        key = ec.generate_private_key(ec.SECP256R1())
        leaf = self.sign(file, key, name("Issuing"), self.issuing_key, names=names, extra=extra)
        (self.directory / f"{file}-chain.pem").write_bytes(
            leaf.public_bytes(PEM) + self.issuing.public_bytes(PEM))
        (self.directory / f"{file}.key").write_bytes(key.private_bytes(
            PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
        return leaf

    def crl(self, issuer, key, revoked):
        builder = (x509.CertificateRevocationListBuilder().issuer_name(name(issuer))
                   .last_update(self.now - timedelta(hours=1))
                   .next_update(self.now + timedelta(days=1)))
        for certificate in revoked:
            builder = builder.add_revoked_certificate(
                x509.RevokedCertificateBuilder().serial_number(certificate.serial_number)
                .revocation_date(self.now).build())
        return builder.sign(key, hashes.SHA256())

    def write_crls(self, revoked):
        self.crls = [self.crl("Root", self.root_key, []),
                     self.crl("Issuing", self.issuing_key, revoked)]
        (self.directory / "crls.pem").write_bytes(b"".join(c.public_bytes(PEM) for c in self.crls))
