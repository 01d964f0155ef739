"""The ``mmppc`` command. Importing this package imports nothing of the OpenMMLab stack."""
