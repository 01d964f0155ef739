"""``python -m mmppc_cli``, the same as ``mmppc``."""

from mmppc_cli.main import main

if __name__ == '__main__':
    raise SystemExit(main())
