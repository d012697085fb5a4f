"""The commands themselves, with the real recorder."""
import unittest
if __name__ == "__main__":
    unittest.main(verbosity=2)
