"""serve.py PORT: localstripe on that port of 127.0.0.1 and nowhere else, for which it has no option."""
import sys

from aiohttp import web
from localstripe import resources, server

# Every change would be written to one file below /tmp, which all instances share.
resources.Store.dump_to_disk = lambda self: None

web.run_app(server.app, host="127.0.0.1", port=int(sys.argv[1]), print=None, access_log=None)
