"""Run tasks that choose their worker: `python run.py`, while worker.py runs."""

from tasks import Recording, store, transcribe

from hatchet import DesiredWorkerLabel

if __name__ == "__main__":
    recording = Recording(minutes=5)
    print("transcribed on", transcribe.run(recording).made_on)
    print("stored on", store.run(recording).made_on)
    # A run may ask for something else than its task.
    elsewhere = [DesiredWorkerLabel(key="host", value="large", required=True)]
    print("stored on", store.run(recording, desired_worker_labels=elsewhere).made_on)
