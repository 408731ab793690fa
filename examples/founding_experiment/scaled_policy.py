"""A policy as it is shipped, made to run beside an Ollama whose time is scaled, on addresses of this machine."""
import re

_STRING_COMMENT_OR_TIME = re.compile(r'"(?:\\.|[^"\\\n])*"|#[^\n]*|(?<![\w.])(\d+(?:\.\d+)?)(ns|us|ms|s|min|h)\b')
_NANOSECONDS = {'ns': 1, 'us': 1e3, 'ms': 1e6, 's': 1e9, 'min': 60e9, 'h': 3600e9}


def without_tests(policy):
    """What the gateway does with it is the same; the tests, at its end, are about its own times."""
    return policy.partition('\ntest "')[0].rstrip('\n') + '\n'


def scaled(policy, scale):
    """Every time of the policy, multiplied. Strings and comments stay; so does what the policy leaves to defaults."""
    def replace(match):
        if match[1] is None:
            return match[0]
        return f'{round(float(match[1]) * _NANOSECONDS[match[2]] * scale / 1e3)}us'
    return _STRING_COMMENT_OR_TIME.sub(replace, policy)


def addressed(policy, gateway_port, ollama_port):
    """Listens on `gateway_port` for both, and asks the Ollama on `ollama_port`."""
    policy, found = re.subn(r'\b(listen|admin)(\s*=\s*)"[^"]*"', rf'\g<1>\g<2>"127.0.0.1:{gateway_port}"', policy)
    policy, upstreams = re.subn(r'(\burl\s*=\s*"http://)[^/"]*', rf'\g<1>127.0.0.1:{ollama_port}', policy)
    if (found, upstreams) != (2, 1):
        raise ValueError('listen, admin and one upstream were expected in the policy')
    return policy
