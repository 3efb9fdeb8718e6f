"""Endpoints are written in one form, and none points at a metadata service, however it is spelt."""

from __future__ import annotations

import ipaddress
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from voyager_llm.domain.address import check_endpoint, is_forbidden_address

GOOD = [
    "https://api.openai.com/v1", "http://127.0.0.1:8000/v1", "http://[::1]:8000", "http://localhost", "https://A.b.C",
    "http://vllm.models.svc.cluster.local:8000/v1", "http://svc.cluster.local.:80/", "http://under_score:1/v1",
    "http://10.0.0.7", "http://xn--bcher-kva.example", "http://1password.com",
    "https://[2001:db8::1]/v1", "https://[2606:4700::6810:84e5]", "https://[64:ff9b::102:304]", "http://[fd00::7]",
    "http://100.64.0.1",
]  # fmt: skip

METADATA = [
    "http://169.254.169.254/latest", "http://169.254.0.1", "http://[fe80::1]/", "http://[::ffff:169.254.169.254]/",
    "http://[::ffff:a9fe:a9fe]", "http://[0:0:0:0:0:ffff:a9fe:a9fe]", "http://[64:ff9b::169.254.169.254]",
    "http://[64:ff9b:1::a9fe:a9fe]", "http://[2002:a9fe:a9fe::]", "http://[::169.254.169.254]",
    "http://[fd00:ec2::254]", "http://[FD00:EC2:0:0::254]", "http://[fd20:ce::254]", "http://[2001:0:a9fe:a9fe::5601:5601]",
    "http://100.100.100.200", "http://168.63.129.16",
    "http://192.0.0.192", "http://metadata.google.internal", "http://METADATA.google.internal.", "http://metadata/",
    "http://metadata.goog", "http://instance-data:80/", "http://0.0.0.0", "http://0.1.2.3", "http://[::]",
    "http://224.0.0.1", "http://255.255.255.255", "http://[ff02::1]",
    # Amazon's of pods, Oracle's, Scaleway's, Linode's, Alibaba's by IPv6; Tencent's.
    "http://[fd00:ec2::23]/v1/credentials", "http://[fd00:c1::a9fe:a9fe]", "http://[fd00:42::42]",
    "http://[fd00:a9fe:a9fe::1]", "http://[fd00:100::100:200]", "http://100.88.222.5", "http://metadata.tencentyun.com",
    "http://[64:ff9b::6464:64c8]", "http://[::ffff:100.100.100.200]",
    # ISATAP, a network's own NAT64, and a prefix of any length within the local one.
    "http://[fe80::5efe:a9fe:a9fe]", "http://[2001:db8::5efe:a9fe:a9fe]", "http://[2001:db8::200:5efe:a9fe:a9fe]",
    "http://[2001:db8:122:344::a9fe:a9fe]", "http://[64:ff9b:1:a9fe:a9:fe00::]", "http://[64:ff9b:1:a9:fe:a9fe::]",
    "http://[64:ff9b:1:0:a9:fea9:fe00:0]",
]  # fmt: skip

OTHER_SPELLINGS = [
    "http://１６９.２５４.１６９.２５４", "http://①⑥⑨.254.169.254", "http://169。254。169。254", "http://169．254.169.254",
    "http://169｡254｡169｡254", "http://2852039166", "http://0xa9fea9fe", "http://0xA9.0xFE.0xA9.0xFE",
    "http://0251.0376.0251.0376", "http://169.254.43518", "http://169.16689662", "http://127.1", "http://0",
    "http://169.254.169.254.", "http://0169.254.169.254", "http://%31%36%39.254.169.254", "http://ⓜetadata.google.internal",
    "http://metadata.google.internal..", "http://a..b", "http://.a", "http://-a", "http://a-", "http://bücher.example",
    "http://[fe80::1%25eth0]", "http://[::1%lo]", "http://[::ffff:0xa9fea9fe]", "http://[v1.x]", "http://a,b",
    "http://" + "a" * 64, "http://" + "a." * 130, "http://x:1:2", "http://[127.0.0.1]", "http://1.2.3.4.5", "http://a.0x7f",
]  # fmt: skip

NO_URLS = [
    "ftp://x", "//x", "x", "http://", "http:///v1", "file:///etc/passwd", "http://a b", "http://a\tb", "http://a\nb",
    "http://a#b", "http://a?b", "http://good\\@bad", "http:\\\\x", "http://u:p@x", "http://u@x", "http://@x", "http://x:0",
    "http://x:99999", "http://x:-1", "http://x:a", "http://[::1", "http://a\u00a0b", "http://a\x7fb", "http://a\x00b",
    "gopher://x", "unix:///x", "javascript:alert(1)",
]  # fmt: skip


@pytest.mark.parametrize("url", GOOD)
def test_a_plain_url_is_taken(url: str) -> None:
    check_endpoint(url)


@pytest.mark.parametrize("url", METADATA)
def test_metadata_services_are_refused(url: str) -> None:
    with pytest.raises(ValueError, match="link-local and metadata"):
        check_endpoint(url)


@pytest.mark.parametrize("url", [*OTHER_SPELLINGS, *NO_URLS])
def test_every_other_form_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="must"):
        check_endpoint(url)


@given(st.text(alphabet=st.sampled_from("169.254０１２x①。．｡:[]@/%\\-#?a.feF "), max_size=40))
def test_what_the_client_makes_of_a_good_url_is_what_was_checked(rest: str) -> None:
    """The client normalises more than we let pass: after it, no new address may appear."""
    url = f"http://{rest}"
    with suppress(ValueError):
        check_endpoint(url)
        host = URL(url).host or ""
        assert not is_forbidden_address(host)
        assert host.strip("[]").lower().rstrip(".") in url.lower()


@given(st.integers(0, 2**16 - 1), st.sampled_from(["::ffff:{}", "64:ff9b::{}", "::{}", "64:ff9b:1::{}"]))
def test_an_ipv6_address_hides_no_link_local_one(low: int, form: str) -> None:
    hidden = ipaddress.IPv4Address((169 << 24) + (254 << 16) + low)
    assert is_forbidden_address(str(hidden))
    assert is_forbidden_address(form.format(hidden))
    assert is_forbidden_address(f"2002:{int(hidden) >> 16:x}:{int(hidden) & 0xFFFF:x}::1")
