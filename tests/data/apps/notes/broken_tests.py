from tests import *

class BrokenTest(unittest.TestCase):
    def test_there_is_a_front_page(self):
        self.assertEqual(get("/")[0], 200)
