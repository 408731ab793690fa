"""Certificates for the tests of this folder, made by openssl: good ones of an authority, and ones with everything that may be wrong with them."""
import os
import shutil
import ssl
import subprocess
import tempfile


class Maker:
    """Certificates with everything that may be wrong with them. Paths of (certificate, key)."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="breakwater-tls-")
        self.write("index.txt", "")
        self.write("ca.cnf", "[ca]\ndefault_ca = it\n[it]\ndir = .\ndatabase = index.txt\nnew_certs_dir = .\nrand_serial = yes\n"
                             "unique_subject = no\ndefault_md = sha256\npolicy = any\n[any]\ncommonName = supplied\n")
        self.number = 0

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, text):
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(text)
        return self.path(name)

    def openssl(self, *arguments):
        done = subprocess.run(["openssl", *arguments], cwd=self.folder, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"openssl {arguments}: {done.stderr}")
        return done.stdout

    def make(self, name, by=None, names="DNS:localhost,IP:127.0.0.1", begins="20200101000000Z", ends="20490101000000Z", authority=False):
        self.number += 1
        base = f"{self.number}-{name}"
        extensions = f"basicConstraints = critical,CA:{'TRUE' if authority else 'FALSE'}\n"
        if authority:
            extensions += "keyUsage = critical,keyCertSign,cRLSign\nsubjectKeyIdentifier = hash\n"
        elif names:
            extensions += f"subjectAltName = {names}\n"
        self.write(base + ".ext", extensions)
        self.openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", base + ".key")
        self.openssl("req", "-new", "-key", base + ".key", "-subj", "/CN=" + name, "-out", base + ".csr")
        signer = ["-cert", by[0], "-keyfile", by[1]] if by else ["-selfsign", "-keyfile", base + ".key"]
        self.openssl("ca", "-batch", "-notext", "-config", "ca.cnf", *signer, "-startdate", begins, "-enddate", ends, "-extfile", base + ".ext",
                     "-in", base + ".csr", "-out", base + ".crt")
        return self.path(base + ".crt"), self.path(base + ".key")

    def join(self, name, *files):
        text = ""
        for path in files:
            with open(path, encoding="utf-8") as file:
                text += file.read()
        return self.write(name, text)

    def pin(self, pair):
        public = self.openssl("x509", "-in", pair[0], "-noout", "-pubkey")
        self.write("public.pem", public)
        self.openssl("pkey", "-pubin", "-in", "public.pem", "-outform", "DER", "-out", "public.der")
        return "sha256:" + self.openssl("dgst", "-sha256", "-r", "public.der").split()[0]

    def remove(self):
        shutil.rmtree(self.folder, ignore_errors=True)


class Authority(Maker):
    """One authority, certificates of it, and who trusts it."""

    def __init__(self):
        super().__init__()
        self.root = self.make("Lab-Root", authority=True)
        self.authority = self.root[0]

    def issue(self, name):
        return self.make(name, self.root)

    def link(self, pair):
        """As certbot leaves them: a folder whose files lead to the pair. `pair` takes the place of the one before, the certificate first."""
        live = self.path("live")
        os.makedirs(live, exist_ok=True)
        for source, name in zip(pair, ("fullchain.pem", "privkey.pem")):
            os.symlink(source, os.path.join(live, name + ".new"))
            os.replace(os.path.join(live, name + ".new"), os.path.join(live, name))
        return os.path.join(live, "fullchain.pem"), os.path.join(live, "privkey.pem")

    def client_context(self):
        return ssl.create_default_context(cafile=self.authority)

    @staticmethod
    def server_context(pair):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*pair)
        return context


class Set:
    def __init__(self):
        self.maker = maker = Maker()
        self.root = maker.make("Lab-Root", authority=True)
        self.other_root = maker.make("Other-Root", authority=True)
        self.middle = maker.make("Lab-Middle", self.root, authority=True)
        self.good = maker.make("good", self.root)
        self.other_name = maker.make("other", self.root, names="DNS:other.example")
        self.expired = maker.make("expired", self.root, ends="20210101000000Z")
        self.early = maker.make("early", self.root, begins="20480101000000Z")
        self.stranger = maker.make("stranger", self.other_root)
        self.own = maker.make("own")
        self.own_client = maker.make("own-client", names="")
        self.behind = maker.make("behind", self.middle)
        self.chain = maker.join("chain.pem", self.behind[0], self.middle[0])
        self.mixed = maker.join("mixed.pem", self.behind[0], self.root[0], self.middle[0])
        self.backwards = maker.join("backwards.pem", self.middle[0], self.behind[0])
        self.client = maker.make("client", self.root, names="")
        self.client_expired = maker.make("client-expired", self.root, names="", ends="20210101000000Z")
        self.client_early = maker.make("client-early", self.root, names="", begins="20480101000000Z")
        self.client_stranger = maker.make("client-stranger", self.other_root, names="")
