"""A small internet on loopback: a DNS server, a certificate authority, a shop's page and the real collector, both on TLS."""

import asyncio
import datetime as dt
import ssl
from dataclasses import dataclass, field
from pathlib import Path

import dns.flags
import dns.message
import dns.name
import dns.rdatatype
import dns.rrset
import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from proxy.clock import system_clock
from proxy.collector.app import make_app
from proxy.config.load import read
from proxy.doctor.dns import Dns
from proxy.doctor.doctor import Doctor, Subject
from proxy.doctor.fetch import Fetcher
from proxy.log.memory import MemoryLog
from proxy.privacy.keys import Keyring, generate_key
from tests.ports import free_port

PAGE, COLLECTOR = "www.shop.test", "t.shop.test"


class Zone(asyncio.DatagramProtocol):
    """Answers questions from `records`: host -> {"A": [...], "AAAA": [...], "CNAME": [target]}, CNAMEs followed."""

    def __init__(self, records):
        self.records = records
        self.transport = None

    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, address):
        query = dns.message.from_wire(data)
        answer = dns.message.make_response(query)
        answer.flags |= dns.flags.RA
        question = query.question[0]
        host, kind = question.name.to_text(omit_final_dot=True), dns.rdatatype.to_text(question.rdtype)
        if host not in self.records:
            answer.set_rcode(dns.rcode.NXDOMAIN)
        while (target := self.records.get(host, {}).get("CNAME")) is not None:
            answer.answer.append(dns.rrset.from_text(f"{host}.", 60, "IN", "CNAME", f"{target[0]}."))
            host = target[0]
        if values := self.records.get(host, {}).get(kind):
            answer.answer.append(dns.rrset.from_text(f"{host}.", 60, "IN", kind, *values))
        self.transport.sendto(answer.to_wire(), address)


@pytest.fixture(scope="session")
def authority(tmp_path_factory):
    """`authority.issue(host, days=…)` -> a server's SSL context; `authority.file`: what a client has to trust."""
    folder = tmp_path_factory.mktemp("authority")

    def signed(subject, key, issuer, issuer_key, *, days, extension):
        now = dt.datetime.now(dt.UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(days=400))
            .not_valid_after(now + dt.timedelta(days=days, hours=1))
            .add_extension(extension, critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
        )
        return builder.sign(issuer_key, hashes.SHA256()).public_bytes(Encoding.PEM)

    def named(text):
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    root_key, root = ec.generate_private_key(ec.SECP256R1()), named("Tests of the doctor")
    file = folder / "authority.pem"
    file.write_bytes(
        signed(root, root_key, root, root_key, days=30, extension=x509.BasicConstraints(ca=True, path_length=None))
    )

    class Authority:
        def __init__(self):
            self.file = file

        def issue(self, host, days=90):
            key = ec.generate_private_key(ec.SECP256R1())
            names = x509.SubjectAlternativeName([x509.DNSName(host)])
            path = folder / f"{host}-{days}.pem"
            secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            path.write_bytes(secret + signed(named(host), key, root, root_key, days=days, extension=names))
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(path)
            return context

    return Authority()


@dataclass
class Internet:
    """What a test may change before it calls `examine`: DNS, the page's answer, what stands before the collector."""

    authority: object
    records: dict = field(default_factory=lambda: {PAGE: {"A": ["127.0.0.1"]}, COLLECTOR: {"A": ["127.0.0.2"]}})
    page: dict = field(default_factory=dict)  # headers of the page
    html: str = ""
    before: object = None  # async (request, handler) -> response: something between browser and collector
    days: int = 90  # the collector's certificate
    config: str = ""
    log: object = None
    page_port: int = 0
    collector_port: int = 0
    dns_port: int = 0

    @property
    def page_url(self):
        return f"https://{PAGE}:{self.page_port}/"

    @property
    def collector(self):
        return f"https://{COLLECTOR}:{self.collector_port}"

    async def examine(self, *, rules=(), page=None, now_ms=None, **subject):
        """The report, and every finding by its check (of several the worst)."""
        context = ssl.create_default_context(cafile=self.authority.file)
        places = {}
        async with Fetcher(places, context, system_clock) as fetcher:
            dns_ = Dns(f"127.0.0.1:{self.dns_port}")
            doctor = Doctor(Subject(page=page or self.page_url, **subject), dns_, fetcher, places, rules)
            report = await doctor.examine(system_clock() if now_ms is None else now_ms)
        order = ["ok", "note", "warning", "fault"]
        return report, {f.check: f for f in sorted(report.findings, key=lambda f: order.index(f.level))}


@pytest.fixture
def internet(authority):
    return Internet(authority)


@pytest.fixture
async def online(internet, monkeypatch):
    """`await online()` starts the internet as the test has arranged it."""
    monkeypatch.setattr("proxy.doctor.dns.TIMEOUT_S", 60)  # whoever answers here shares a machine with whoever asks
    monkeypatch.setattr("proxy.doctor.fetch.TIMEOUT_S", 60)
    runners, transports = [], []

    async def site(app, address, port, context):
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        runners.append(runner)
        await web.TCPSite(runner, address, port, ssl_context=context).start()

    async def start():
        internet.page_port, internet.collector_port = free_port(), free_port()
        html = internet.html or f'<script async src="{internet.collector}/tracker.js"></script>'

        async def document(_):
            return web.Response(text=html, content_type="text/html", headers=internet.page)

        async def moved(_):
            raise web.HTTPFound(internet.page_url)

        page = web.Application()
        page.router.add_get("/", document)
        page.router.add_get("/moved", moved)
        origin = internet.page_url.removesuffix("/")
        config = read(f"site: {{origins: ['{origin}']}}\n{internet.config}", Path("config.yaml"), {})
        internet.log = MemoryLog(system_clock)
        collector = await asyncio.to_thread(make_app, config, internet.log, Keyring.parse(generate_key()))
        if internet.before is not None:

            @web.middleware
            async def before(request, handler):
                return await internet.before(request, handler)

            collector.middlewares.append(before)
        await site(page, "127.0.0.1", internet.page_port, internet.authority.issue(PAGE))
        await site(collector, "127.0.0.2", internet.collector_port, internet.authority.issue(COLLECTOR, internet.days))
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(lambda: Zone(internet.records), local_addr=("127.0.0.1", 0))
        transports.append(transport)
        internet.dns_port = transport.get_extra_info("sockname")[1]
        return internet

    yield start
    for runner in runners:
        await runner.cleanup()
    for transport in transports:
        transport.close()
