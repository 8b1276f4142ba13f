import json, os, unittest, urllib.request, urllib.error

BASE = os.environ["BASE_URL"]

def get(path):
    with urllib.request.urlopen(BASE + path) as answer:
        return answer.status, json.load(answer)

class NotesTest(unittest.TestCase):
    def test_a_posted_note_is_listed(self):
        request = urllib.request.Request(BASE + "/notes", data=json.dumps("second").encode(), method="POST")
        self.assertEqual(urllib.request.urlopen(request).status, 201)
        self.assertIn("second", get("/notes")[1])

    def test_the_release_phase_has_made_a_first_note(self):
        self.assertEqual(get("/notes")[1][0], "first note")
