# SPDX-License-Identifier: LGPL-2.1-or-later
"""The QEMU driver: a real ``qemu-system-*`` process behind each running domain.

It runs on Linux only; elsewhere this imports all the same, and opening says what is missing.

Its modules, from what a connection calls down to the process::

    driver                      what a connection sees; everything is done below
      definitions  autostart    what holds whether a domain runs or not
      starting                  from a definition to a guest that runs
      controls     sleeping     one command or one signal to a domain that runs
      saving       managed      a running state to a file, and back
      dumping                   its memory to a file
    estate                      what these operations share
    run                         one QEMU from its start to its end, on the loop thread
      life  scene  events  device_events  transitions
                                what an event of QEMU's means, and what is told of it
      commands  listening  works    what a run asks of QEMU, and does by itself
      ending    departing           how it ends, and how it is seen out
      live                      what only a running domain has to tell of its devices
    monitor  agent  migration   the three that are spoken with: QMP, the guest's agent, a state
    arguments/                  a definition to QEMU's argument list
    launching  process  sockets  confinement
                                a QEMU that waits for us, and is never lost
    taking_up  found            the runs that another process left
    directory  status  told  kept  image  placing  sweeping  places
                                what is on disk, and where
    factory                     opens all of it, or says why it cannot
"""

from virevents.drivers.qemu.factory import QEMU

__all__ = ["QEMU"]
